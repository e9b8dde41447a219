/* Rejected by nothing: a header of the folder alone. */
