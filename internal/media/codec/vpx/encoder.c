#include "shim.h"

#include <stdlib.h>
#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>

enum { MIN_QUANTIZER = 2, MAX_QUANTIZER = 56 };

struct enc {
	vpx_codec_ctx_t ctx;
	vpx_codec_enc_cfg_t cfg;
	int vp8, speed, text;
};

static void rate(vpx_codec_enc_cfg_t *g, const enc_settings *s) {
	g->g_w = s->width;
	g->g_h = s->height;
	g->rc_target_bitrate = s->kbps;
	g->g_error_resilient = s->resilient ? VPX_ERROR_RESILIENT_DEFAULT : 0; /* VP9 takes it up with a key frame */
}

static void settings(vpx_codec_enc_cfg_t *g, const enc_settings *s) {
	rate(g, s);
	g->g_timebase.num = 1;
	g->g_timebase.den = 90000; /* the RTP clock */
	g->g_threads = s->threads;
	g->g_pass = VPX_RC_ONE_PASS;
	g->g_lag_in_frames = 0;    /* VP9's default of 25 frames is 0.8 s of delay */
	g->rc_end_usage = VPX_CBR;
	g->rc_min_quantizer = MIN_QUANTIZER;
	g->rc_max_quantizer = MAX_QUANTIZER;
	g->rc_undershoot_pct = s->vp8 ? 100 : 50;
	g->rc_overshoot_pct = s->vp8 ? 15 : 50;
	g->rc_buf_sz = 1000;
	g->rc_buf_initial_sz = 500;
	g->rc_buf_optimal_sz = 600;
	g->rc_resize_allowed = 0;  /* sizes are decided by the caller */
	g->rc_dropframe_thresh = 30;
	g->kf_mode = VPX_KF_AUTO;
	g->kf_max_dist = 3000;     /* key frames on request, not by the clock */
}

/* Screens: VP9 looks for still and repeated parts; VP8 spends less on motion. */
static int text(enc *e, int on) {
	e->text = on;
	if (e->vp8) return vpx_codec_control(&e->ctx, VP8E_SET_SCREEN_CONTENT_MODE, on ? 1 : 0);
	return vpx_codec_control(&e->ctx, VP9E_SET_TUNE_CONTENT, on ? VP9E_CONTENT_SCREEN : VP9E_CONTENT_DEFAULT);
}

static int controls(enc *e, const enc_settings *s) {
	vpx_codec_ctx_t *c = &e->ctx;
	int err = vpx_codec_control(c, VP8E_SET_CPUUSED, s->speed);
	if (!err) err = vpx_codec_control(c, VP8E_SET_STATIC_THRESHOLD, 1);
	if (!err) err = vpx_codec_control(c, VP8E_SET_MAX_INTRA_BITRATE_PCT, 300); /* a key frame takes as long as 3 others: 100 ms at 30 a second */
	if (!err && s->text) err = text(e, 1);
	if (s->vp8) {
		if (!err) err = vpx_codec_control(c, VP8E_SET_NOISE_SENSITIVITY, 0);
		if (!err) err = vpx_codec_control(c, VP8E_SET_TOKEN_PARTITIONS, VP8_ONE_TOKENPARTITION);
		return err;
	}
	if (!err) err = vpx_codec_control(c, VP9E_SET_AQ_MODE, 3);
	if (!err) err = vpx_codec_control(c, VP9E_SET_ROW_MT, 1);
	if (!err) err = vpx_codec_control(c, VP9E_SET_TILE_COLUMNS, s->threads > 1 ? 1 : 0);
	if (!err) err = vpx_codec_control(c, VP9E_SET_FRAME_PARALLEL_DECODING, 0);
	if (!err) err = vpx_codec_control(c, VP9E_SET_NOISE_SENSITIVITY, 0);
	if (!err) err = vpx_codec_control(c, VP9E_SET_COLOR_SPACE, VPX_CS_BT_601);
	return err;
}

int enc_open(enc **out, const enc_settings *s) {
	enc *e = calloc(1, sizeof *e);
	if (!e) return VPX_CODEC_MEM_ERROR;
	vpx_codec_iface_t *iface = s->vp8 ? vpx_codec_vp8_cx() : vpx_codec_vp9_cx();
	int err = vpx_codec_enc_config_default(iface, &e->cfg, 0);
	if (err) {
		free(e);
		return err;
	}
	settings(&e->cfg, s);
	e->vp8 = s->vp8;
	e->speed = s->speed;
	err = vpx_codec_enc_init(&e->ctx, iface, &e->cfg, 0);
	if (err) {
		free(e); /* libvpx has freed its part */
		return err;
	}
	err = controls(e, s);
	if (err) {
		enc_close(e);
		return err;
	}
	*out = e;
	return 0;
}

void enc_close(enc *e) {
	vpx_codec_destroy(&e->ctx); /* always, also before a context of another size: a whole encoder leaks otherwise */
	free(e);
}

int enc_change(enc *e, const enc_settings *s) {
	if (s->speed != e->speed) {
		int err = vpx_codec_control(&e->ctx, VP8E_SET_CPUUSED, s->speed);
		if (err) return err;
		e->speed = s->speed;
	}
	if (s->text != e->text) {
		int err = text(e, s->text);
		if (err) return err;
	}
	rate(&e->cfg, s);
	return vpx_codec_enc_config_set(&e->ctx, &e->cfg);
}

static int least_quantizer(enc *e, int above_last) {
	int q = 0;
	int err = vpx_codec_control(&e->ctx, VP8E_GET_LAST_QUANTIZER_64, &q);
	if (err) return err;
	e->cfg.rc_min_quantizer = q + above_last < MAX_QUANTIZER ? q + above_last : MAX_QUANTIZER;
	return vpx_codec_enc_config_set(&e->ctx, &e->cfg);
}

int enc_frame(enc *e, const uint8_t *y, const uint8_t *u, const uint8_t *v, int stride, int stride_uv,
	int64_t pts, int64_t duration, int flags, int coarser, enc_packet *out) {
	vpx_image_t img;
	if (!vpx_img_wrap(&img, VPX_IMG_FMT_I420, e->cfg.g_w, e->cfg.g_h, 1, (unsigned char *)y)) return VPX_CODEC_INVALID_PARAM;
	img.planes[VPX_PLANE_Y] = (unsigned char *)y;
	img.planes[VPX_PLANE_U] = (unsigned char *)u;
	img.planes[VPX_PLANE_V] = (unsigned char *)v;
	img.stride[VPX_PLANE_Y] = stride;
	img.stride[VPX_PLANE_U] = img.stride[VPX_PLANE_V] = stride_uv;
	img.cs = VPX_CS_BT_601;
	img.range = VPX_CR_STUDIO_RANGE;
	int err = coarser ? least_quantizer(e, coarser) : 0;
	if (!err) err = vpx_codec_encode(&e->ctx, &img, pts, duration, flags, VPX_DL_REALTIME);
	if (coarser && !err) {
		e->cfg.rc_min_quantizer = MIN_QUANTIZER;
		err = vpx_codec_enc_config_set(&e->ctx, &e->cfg);
	}
	if (err) return err;
	const vpx_codec_cx_pkt_t *p;
	vpx_codec_iter_t it = NULL;
	out->data = NULL;
	out->size = 0;
	out->key = 0;
	while ((p = vpx_codec_get_cx_data(&e->ctx, &it))) { /* without look-ahead and layers there is at most one */
		if (p->kind != VPX_CODEC_CX_FRAME_PKT || p->data.frame.sz == 0) continue;
		out->data = p->data.frame.buf;
		out->size = p->data.frame.sz;
		out->key = (p->data.frame.flags & VPX_FRAME_IS_KEY) != 0;
	}
	return 0;
}

const char *enc_error(enc *e) {
	const char *detail = vpx_codec_error_detail(&e->ctx);
	return detail ? detail : vpx_codec_error(&e->ctx);
}
