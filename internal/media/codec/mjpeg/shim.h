/* What decoder.go needs of libjpeg-turbo: one call a picture, with errors as codes and every pointer an argument. */
#ifndef VISAVIS_MJPEG_SHIM_H
#define VISAVIS_MJPEG_SHIM_H

#include <stddef.h>
#include <stdint.h>

enum { MJ_OK, MJ_BROKEN, MJ_DAMAGED, MJ_KIND, MJ_SIZE, MJ_MEMORY };

typedef struct mj mj;

mj *mj_open(void); /* NULL: no memory */
void mj_close(mj *d);

/* mj_decode writes the picture in limited range; its size must be the given one, of which an odd last row and column are
 * cut. MJ_DAMAGED: what could be decoded was written. */
int mj_decode(mj *d, const uint8_t *data, size_t size, int width, int height,
	uint8_t *y, uint8_t *u, uint8_t *v, int stride_y, int stride_uv);
const char *mj_error(mj *d);

#endif
