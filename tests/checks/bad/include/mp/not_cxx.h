/* Valid as C only. */
#ifndef BAD_NOT_CXX_H
#define BAD_NOT_CXX_H
int bad_not_cxx(int class);
#endif
