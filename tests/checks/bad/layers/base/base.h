/* Rejected by nothing: the others include it. */
