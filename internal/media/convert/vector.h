#ifndef VISAVIS_CONVERT_VECTOR_H
#define VISAVIS_CONVERT_VECTOR_H

#include <stdint.h>

typedef struct {
	int16_t luma, offset, red, green_u, green_v, blue;
} coefficients;

void i420_rgba(const uint8_t *y, int ys, const uint8_t *u, const uint8_t *v, int cs, uint8_t *d, int ds, int w, int h, coefficients k);

#endif
