/* Cannot be included twice. */
struct bad_not_twice {
    int field;
};
