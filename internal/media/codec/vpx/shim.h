/* What encoder.go and decoder.go need of libvpx, without its variadic calls and with every pointer of Go's memory an argument. */
#ifndef VISAVIS_VPX_SHIM_H
#define VISAVIS_VPX_SHIM_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
	int vp8, width, height, kbps, speed, threads, text, resilient;
} enc_settings;

typedef struct {
	const void *data;
	size_t size;
	int key;
} enc_packet;

typedef struct enc enc;

/* All return 0 or a vpx_codec_err_t; enc_error explains the last one. */
int enc_open(enc **out, const enc_settings *s);
void enc_close(enc *e);
int enc_change(enc *e, const enc_settings *s); /* rate, speed, text, resilience, or a size no larger than the first one */
/* enc_frame copies the picture; the packet is libvpx's until the next call, its data NULL when the frame was dropped. */
int enc_frame(enc *e, const uint8_t *y, const uint8_t *u, const uint8_t *v, int stride, int stride_uv,
	int64_t pts, int64_t duration, int flags, int coarser, enc_packet *out); 
/* flags: VPX_EFLAG_… and VP8_EFLAG_…; coarser: so many quantizer steps above the last frame at least. */
const char *enc_error(enc *e);

typedef struct {
	const uint8_t *y, *u, *v;
	int stride_y, stride_u, stride_v, width, height, i420, full_range;
	void *held; /* not NULL: the picture is the caller's until dec_release(held) */
} dec_picture;

typedef struct dec dec;

int dec_open(dec **out, int vp8, size_t max_area);
void dec_close(dec *d);
/* dec_packet's picture is libvpx's until the next call, unless it is held; its y is NULL when the packet shows nothing. */
int dec_packet(dec *d, const uint8_t *data, unsigned size, dec_picture *out);
const char *dec_error(dec *d);
void dec_release(void *held); /* on any thread, also after dec_close */

#endif
