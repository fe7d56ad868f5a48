//go:build cgo

/* The vector extensions of GCC 12 and clang: SSE2 or NEON without intrinsics. */
#include "vector.h"

#include <string.h>

typedef int16_t v8s __attribute__((vector_size(16)));
typedef uint16_t v8w __attribute__((vector_size(16)));
typedef uint8_t v8u __attribute__((vector_size(8)));
typedef uint8_t v16u __attribute__((vector_size(16)));
typedef uint32_t v4d __attribute__((vector_size(16)));
#define SHUFFLE __builtin_shufflevector
#define WIDE(x) __builtin_convertvector(x, v8s)

static inline uint8_t clip1(int v) { return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v; }

/* clip8 takes the place of packuswb, which the compilers do not find by themselves. */
static inline v8s clip8(v8s a) {
	const v8s top = {255, 255, 255, 255, 255, 255, 255, 255};
	a = a & (a > 0);
	v8s over = a > top;
	return (a & ~over) | (top & over);
}

/* luma8 needs all 16 bits without a sign for the product: 255*149 = 37995. */
static inline v8s luma8(v8w y, coefficients k) { return (v8s)((y * (uint16_t)k.luma) >> 2) + k.offset; }

static void tail(const uint8_t *y, const uint8_t *u, const uint8_t *v, uint8_t *o, int w, coefficients k) {
	for (int i = 0; i < w; i++, o += 4) {
		int uu = u[i / 2] - 128, vv = v[i / 2] - 128, l = (y[i] * k.luma >> 2) + k.offset;
		o[0] = clip1((l + (k.red * vv >> 2)) >> 5);
		o[1] = clip1((l + ((k.green_u * uu + k.green_v * vv) >> 2)) >> 5);
		o[2] = clip1((l + (k.blue * uu >> 1)) >> 5);
		o[3] = 255;
	}
}

/* Red and green of a pixel make one 16-bit lane, blue and alpha another; interleaving the lanes gives pixels. */
static inline v8w pair(v8s low, v8s high) { return (v8w)low | (v8w)high << 8; }

/* Eight chroma samples make sixteen pixels: the even and the odd ones apart, then interleaved. */
void i420_rgba(const uint8_t *y, int ys, const uint8_t *u, const uint8_t *v, int cs, uint8_t *d, int ds, int w, int h, coefficients k) {
	const v8s alpha = {255, 255, 255, 255, 255, 255, 255, 255};
	for (int row = 0; row < h; row++) {
		const uint8_t *yp = y + (int64_t)row * ys, *up = u + (int64_t)(row / 2) * cs, *vp = v + (int64_t)(row / 2) * cs;
		uint8_t *o = d + (int64_t)row * ds;
		int x = 0;
		for (; x + 16 <= w; x += 16, yp += 16, up += 8, vp += 8, o += 64) {
			v8u u8, w8;
			v8w y16;
			memcpy(&u8, up, 8);
			memcpy(&w8, vp, 8);
			memcpy(&y16, yp, 16);
			v8s uu = WIDE(u8) - 128, vv = WIDE(w8) - 128;
			v8s r = (k.red * vv) >> 2, g = (k.green_u * uu + k.green_v * vv) >> 2, b = (k.blue * uu) >> 1;
			v8s e = luma8(y16 & 255, k), q = luma8(y16 >> 8, k); /* little endian */
			v8w rge = pair(clip8((e + r) >> 5), clip8((e + g) >> 5)), bae = pair(clip8((e + b) >> 5), alpha);
			v8w rgo = pair(clip8((q + r) >> 5), clip8((q + g) >> 5)), bao = pair(clip8((q + b) >> 5), alpha);
			v4d e0 = (v4d)SHUFFLE(rge, bae, 0, 8, 1, 9, 2, 10, 3, 11), e1 = (v4d)SHUFFLE(rge, bae, 4, 12, 5, 13, 6, 14, 7, 15);
			v4d o0 = (v4d)SHUFFLE(rgo, bao, 0, 8, 1, 9, 2, 10, 3, 11), o1 = (v4d)SHUFFLE(rgo, bao, 4, 12, 5, 13, 6, 14, 7, 15);
			v4d out[4] = {
				SHUFFLE(e0, o0, 0, 4, 1, 5), SHUFFLE(e0, o0, 2, 6, 3, 7), SHUFFLE(e1, o1, 0, 4, 1, 5), SHUFFLE(e1, o1, 2, 6, 3, 7)};
			memcpy(o, out, 64);
		}
		if (x < w) tail(yp, up, vp, o, w - x, k);
	}
}
