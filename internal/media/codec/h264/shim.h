/* What encoder.go and decoder.go need of OpenH264's C interface, with every pointer of Go's memory an argument. */
#ifndef VISAVIS_H264_SHIM_H
#define VISAVIS_H264_SHIM_H

#include <stddef.h>
#include <stdint.h>

typedef struct h264enc h264enc;

/* All return 0, or an error code of OpenH264's or -1. */
int h264_enc_open(h264enc **out, int width, int height, float fps, int bps);
void h264_enc_close(h264enc *e);
int h264_enc_rate(h264enc *e, int bps);
/* The packet, in Annex B form, is the encoder's until the next call; its size 0 when the picture was skipped. */
int h264_enc_frame(h264enc *e, const uint8_t *y, const uint8_t *u, const uint8_t *v, int stride, int stride_uv,
	int64_t ms, int key, const uint8_t **data, size_t *size, int *is_key);

typedef struct h264dec h264dec;

typedef struct {
	const uint8_t *y, *u, *v;
	int stride, stride_uv, width, height;
} h264_picture;

int h264_dec_open(h264dec **out);
void h264_dec_close(h264dec *d);
/* The picture is the decoder's until the next call; its y NULL when there is none to show. */
int h264_dec_packet(h264dec *d, const uint8_t *data, size_t size, h264_picture *out);

#endif
