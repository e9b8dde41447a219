/* Computes a picture of the Mandelbrot set, a row per task, and writes it as a PGM file. In Python:

from multiprocessing import Pool

def compute_row(y):
    return bytes(shade(x, y) for x in range(width))

if __name__ == '__main__':
    with Pool() as pool:
        rows = pool.map(compute_row, tqdm(range(height)))

Here the rows are computed where the picture lies, in a shared array: none of them is sent anywhere.
*/

#include <mp/mp.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_ITERATIONS = 1000, LARGEST_SIDE = 20000 };

struct picture {
    int width;
    int height;
};

/* Black inside the set; outside rings of grey, the whiter the further away. */
static unsigned char shade(double re, double im)
{
    double x = 0;
    double y = 0;

    for (int i = 0; i < MOST_ITERATIONS; i++) {
        double xx = x * x;
        double yy = y * y;
        if (xx + yy > 4) {
            return (unsigned char)(255 - i % 32 * 7);
        }
        y = 2 * x * y + im;
        x = xx - yy + re;
    }
    return 0;
}

static int compute_row(const void *item, void *result, void *context)
{
    const int *y = item;
    unsigned char *row = result;
    const struct picture *picture = context;
    double scale = 3.0 / picture->width;

    for (int x = 0; x < picture->width; x++) {
        row[x] = shade(x * scale - 2.25, (*y - picture->height / 2.0) * scale);
    }
    return 0;
}

static void compute(const struct picture *picture, unsigned char *pixels)
{
    size_t height = (size_t)picture->height;
    int *ys = malloc(height * sizeof *ys);
    mp_map_options options = {
        .context = picture,
        .context_size = sizeof *picture,
        .progress = mp_progress_bar,
    };
    mp_pool *pool;

    if (ys == NULL) {
        abort();
    }
    for (int y = 0; y < picture->height; y++) {
        ys[y] = y;
    }
    MP_CHECK(mp_pool_create(&pool, 0, NULL)); /* a worker for each processor */
    MP_WITH_POOL(pool) {
        MP_CHECK(mp_pool_map_array(pool, compute_row, ys, height, sizeof *ys, pixels,
                                   (size_t)picture->width, &options));
    }
    mp_pool_destroy(pool);
    free(ys);
}

static bool save(const char *name, const struct picture *picture, const unsigned char *pixels)
{
    size_t size = (size_t)picture->width * (size_t)picture->height;
    FILE *file = fopen(name, "wb");

    if (file == NULL) {
        return false;
    }
    fprintf(file, "P5\n%d %d\n255\n", picture->width, picture->height);
    bool written = fwrite(pixels, 1, size, file) == size;
    return fclose(file) == 0 && written;
}

/* Reads the length of a side; 0 if it is none. */
static int side_of(const char *text)
{
    char *end;
    long side = strtol(text, &end, 10);

    return *end == '\0' && side > 0 && side <= LARGEST_SIDE ? (int)side : 0;
}

int main(int argc, char *argv[])
{
    const char *name = argc > 1 ? argv[1] : "mandelbrot.pgm";
    struct picture picture = {
        .width = argc > 2 ? side_of(argv[2]) : 1280,
        .height = argc > 3 ? side_of(argv[3]) : 960,
    };
    mp_array *pixels;

    if (argc > 4 || picture.width == 0 || picture.height == 0) {
        fprintf(stderr, "usage: %s [file.pgm [width [height]]]\n", argv[0]);
        return 2;
    }
    MP_CHECK(mp_array_create(&pixels, 'B', (size_t)picture.width * (size_t)picture.height, NULL));
    compute(&picture, MP_ARRAY(unsigned char, pixels));
    if (!save(name, &picture, MP_ARRAY(unsigned char, pixels))) {
        perror(name);
        return EXIT_FAILURE;
    }
    printf("%s: %d x %d\n", name, picture.width, picture.height);
    mp_array_destroy(pixels);
    return 0;
}
