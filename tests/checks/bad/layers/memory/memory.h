/* Rejected by nothing: the main header of its folder. */
