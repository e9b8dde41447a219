/* The scene of the word count: files whose words are known. */
#include "judge.h"

#include <stdio.h>

static bool file_write(const char *name, const char *text, int times)
{
    FILE *file = fopen(name, "w");
    bool written = file != NULL;

    for (int i = 0; written && i < times; i++) {
        written = fputs(text, file) >= 0;
    }
    return file != NULL && fclose(file) == 0 && written;
}

static bool words_begin(struct place *place)
{
    (void)place;
    return file_write("three.txt", "one two three", 1) && file_write("empty.txt", "", 0) &&
           file_write("long.txt", "word\n", 100000) &&
           file_write("spaces.txt", " \n\ta  b\r\n\n\f c\v\xc3\xa9 \n", 1);
}

const struct scene scene_words = {.begin = words_begin};
