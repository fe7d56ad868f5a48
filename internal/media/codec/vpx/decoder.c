#include "shim.h"

#include <stdlib.h>
#include <string.h>
#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>
#include <vpx/vpx_frame_buffer.h>

/* What libvpx may need at once, and what those who show pictures may hold; beyond that they get copies. */
enum { HELD_AT_MOST = 16, BUFFERS = VP9_MAXIMUM_REF_BUFFERS + VPX_MAXIMUM_WORK_BUFFERS + HELD_AT_MOST };

typedef struct {
	struct dec *owner;
	uint8_t *data;
	size_t size;
	int users; /* libvpx, and a picture that was handed out */
} buffer;

/* Pictures may outlive their decoder: the last of both to go frees the buffers. users and held are changed by whoever
 * releases a picture. */
struct dec {
	vpx_codec_ctx_t ctx;
	size_t max_buffer;
	int held, users;
	buffer buffers[BUFFERS];
};

static int count(int *n, int by) { return __atomic_add_fetch(n, by, __ATOMIC_ACQ_REL); }

static void leave(dec *d) {
	if (count(&d->users, -1) > 0) return;
	for (int i = 0; i < BUFFERS; i++) free(d->buffers[i].data);
	free(d);
}

/* VP9 may change its size without a key frame; the buffers it asks for are the last place to stop it. They are kept: fresh
 * memory for each frame costs 14 ms of page faults at 720p. */
static int get_buffer(void *priv, size_t min_size, vpx_codec_frame_buffer_t *fb) {
	dec *d = priv;
	buffer *b = d->buffers;
	while (b < d->buffers + BUFFERS && __atomic_load_n(&b->users, __ATOMIC_ACQUIRE)) b++;
	if (b == d->buffers + BUFFERS || min_size > d->max_buffer) return -1;
	if (b->size < min_size) {
		free(b->data);
		b->data = calloc(1, min_size); /* libvpx wants it zeroed the first time */
		b->size = b->data ? min_size : 0;
		if (!b->data) return -1;
	}
	b->owner = d;
	count(&b->users, 1);
	fb->data = b->data;
	fb->size = b->size;
	fb->priv = b;
	return 0;
}

static int release_buffer(void *priv, vpx_codec_frame_buffer_t *fb) {
	(void)priv;
	buffer *b = fb->priv;
	if (b) count(&b->users, -1);
	fb->priv = NULL;
	return 0;
}

/* hold lets a picture be handed out as it is: libvpx writes no more into a frame that it gave out. */
static void *hold(dec *d, buffer *b) {
	if (!b || __atomic_load_n(&d->held, __ATOMIC_ACQUIRE) >= HELD_AT_MOST) return NULL;
	count(&d->held, 1);
	count(&d->users, 1);
	count(&b->users, 1);
	return b;
}

void dec_release(void *held) {
	buffer *b = held;
	dec *d = b->owner;
	count(&b->users, -1);
	count(&d->held, -1);
	leave(d);
}

int dec_open(dec **out, int vp8, size_t max_area) {
	dec *d = calloc(1, sizeof *d);
	if (!d) return VPX_CODEC_MEM_ERROR;
	vpx_codec_dec_cfg_t cfg = {.threads = 1};
	int err = vpx_codec_dec_init(&d->ctx, vp8 ? vpx_codec_vp8_dx() : vpx_codec_vp9_dx(), &cfg, 0);
	if (err) {
		free(d);
		return err;
	}
	d->users = 1;
	d->max_buffer = max_area * 2 + (8 << 20); /* 1.5 bytes a pixel and the borders */
	if (!vp8) err = vpx_codec_set_frame_buffer_functions(&d->ctx, get_buffer, release_buffer, d);
	if (err) {
		dec_close(d);
		return err;
	}
	*out = d;
	return 0;
}

void dec_close(dec *d) {
	vpx_codec_destroy(&d->ctx);
	leave(d);
}

int dec_packet(dec *d, const uint8_t *data, unsigned size, dec_picture *out) {
	memset(out, 0, sizeof *out);
	int err = vpx_codec_decode(&d->ctx, data, size, NULL, 0);
	if (err) return err;
	vpx_codec_iter_t it = NULL;
	vpx_image_t *img, *last = NULL;
	while ((img = vpx_codec_get_frame(&d->ctx, &it))) {
		last = img;
		out->y = img->planes[VPX_PLANE_Y];
		out->u = img->planes[VPX_PLANE_U];
		out->v = img->planes[VPX_PLANE_V];
		out->stride_y = img->stride[VPX_PLANE_Y];
		out->stride_u = img->stride[VPX_PLANE_U];
		out->stride_v = img->stride[VPX_PLANE_V];
		out->width = img->d_w;
		out->height = img->d_h;
		out->i420 = img->fmt == VPX_IMG_FMT_I420;
		out->full_range = img->range == VPX_CR_FULL_RANGE;
	}
	if (last) out->held = hold(d, last->fb_priv); /* VP8 has no buffers of ours */
	return 0;
}

const char *dec_error(dec *d) {
	const char *detail = vpx_codec_error_detail(&d->ctx);
	return detail ? detail : vpx_codec_error(&d->ctx);
}
