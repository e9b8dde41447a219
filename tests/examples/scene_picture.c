/* The scene of the Mandelbrot set: the picture has to be the one that one loop computes. */
#include "judge.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 160, HEIGHT = 120, PIXELS = WIDTH * HEIGHT };

static const char header[] = "P5\n160 120\n255\n";
enum { HEADER = sizeof header - 1, FILE_SIZE = HEADER + PIXELS };

/* Some pixels that can be told without computing. */
static const struct {
    int x;
    int y;
    unsigned char shade;
} known[] = {
    {120, 60, 0},  /* 0 */
    {67, 60, 0},   /* near -1 */
    {14, 60, 0},   /* near -2, on the needle */
    {0, 0, 248},   /* the corner, gone after one step */
    {159, 0, 241}, /* the other one, after two */
};

/* The expressions are the example's, so that both round alike. */
static unsigned char shade(double re, double im)
{
    double x = 0;
    double y = 0;
    int steps = 0;

    for (;;) {
        double xx = x * x;
        double yy = y * y;
        if (xx + yy > 4) {
            return (unsigned char)(255 - steps % 32 * 7);
        }
        if (++steps == 1000) {
            return 0;
        }
        y = 2 * x * y + im;
        x = xx - yy + re;
    }
}

static void picture_compute(unsigned char *bytes)
{
    double scale = 3.0 / WIDTH;

    memcpy(bytes, header, HEADER);
    for (int i = 0; i < PIXELS; i++) {
        int x = i % WIDTH;
        int y = i / WIDTH;
        bytes[HEADER + i] = shade(x * scale - 2.25, (y - HEIGHT / 2.0) * scale);
    }
}

static const char *picture_judge(const unsigned char *bytes, size_t len)
{
    static unsigned char right[FILE_SIZE];
    static char why[128];

    if (len < HEADER || memcmp(bytes, header, HEADER) != 0) {
        return "the picture has another header";
    }
    if (len != FILE_SIZE) {
        return "the picture has another size";
    }
    picture_compute(right);
    for (size_t i = 0; i < PIXELS; i++) {
        if (bytes[HEADER + i] != right[HEADER + i]) {
            (void)snprintf(why, sizeof why, "pixel %zu, %zu is %d instead of %d", i % WIDTH,
                           i / WIDTH, bytes[HEADER + i], right[HEADER + i]);
            return why;
        }
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (bytes[HEADER + known[i].y * WIDTH + known[i].x] != known[i].shade) {
            (void)snprintf(why, sizeof why, "pixel %d, %d is not %d", known[i].x, known[i].y,
                           known[i].shade);
            return why;
        }
    }
    return NULL;
}

static const char *picture_inspect(void)
{
    static unsigned char bytes[FILE_SIZE + 1];
    FILE *file = fopen("picture.pgm", "rb");
    size_t len;

    if (file == NULL) {
        return "there is no picture.pgm";
    }
    len = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    return picture_judge(bytes, len);
}

static int picture_self_check(void)
{
    static unsigned char bytes[FILE_SIZE + 1];
    int mistakes = 0;

    picture_compute(bytes);
    mistakes += picture_judge(bytes, FILE_SIZE) != NULL;
    mistakes += picture_judge(bytes, FILE_SIZE - 1) == NULL;
    mistakes += picture_judge(bytes, FILE_SIZE + 1) == NULL;
    mistakes += picture_judge(bytes, 0) == NULL;
    for (size_t i = 0; i < FILE_SIZE; i += i < HEADER ? 1 : 997) {
        bytes[i] ^= 1;
        mistakes += picture_judge(bytes, FILE_SIZE) == NULL;
        bytes[i] ^= 1;
    }
    if (mistakes > 0) {
        printf("the picture's judge was wrong %d times\n", mistakes);
    }
    return mistakes;
}

const struct scene scene_picture = {
    .inspect = picture_inspect,
    .self_check = picture_self_check,
};
