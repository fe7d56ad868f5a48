#include "shim.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

enum { STRIP = 16 }; /* rows of the largest MCU; rows are padded to whole MCUs, which frames have no room for */

struct mj {
	struct jpeg_decompress_struct j;
	struct jpeg_error_mgr err;
	jmp_buf leave;
	int damaged;
	char text[JMSG_LENGTH_MAX];
	uint8_t *strip;
	size_t strip_size;
};

/* libjpeg's own handlers end the program and write to stderr. */
static void fail(j_common_ptr c) {
	mj *d = c->client_data;
	c->err->format_message(c, d->text);
	longjmp(d->leave, 1);
}

static void complain(j_common_ptr c, int level) {
	mj *d = c->client_data;
	/* Many cameras leave some bytes between the last MCU and the next marker, others forget the end marker: nothing is
	 * missing then. Where something is, JWRN_HIT_MARKER says so. */
	if (level >= 0 || c->err->msg_code == JWRN_EXTRANEOUS_DATA || c->err->msg_code == JWRN_JPEG_EOF) return;
	if (!d->damaged) c->err->format_message(c, d->text);
	d->damaged = 1;
}

mj *mj_open(void) {
	mj *d = calloc(1, sizeof *d);
	if (!d) return NULL;
	d->j.err = jpeg_std_error(&d->err);
	d->err.error_exit = fail;
	d->err.emit_message = complain;
	d->j.client_data = d;
	if (setjmp(d->leave)) {
		free(d);
		return NULL;
	}
	jpeg_create_decompress(&d->j);
	return d;
}

void mj_close(mj *d) {
	jpeg_destroy_decompress(&d->j);
	free(d->strip);
	free(d);
}

const char *mj_error(mj *d) { return d->text; }

/* JFIF's full range squeezed into limited range, rounded as media.lumaToLimited and chromaToLimited are. */
static void luma(uint8_t *restrict to, const uint8_t *restrict from, int n) {
	for (int x = 0; x < n; x++) to[x] = 16 + ((from[x] * 56284u + 32768) >> 16);
}

static inline uint8_t limited(unsigned v) { return (v * 57569u + 1019648u) >> 16; } /* 128 + (v-128)*224/255 */

static void chroma(uint8_t *restrict to, const uint8_t *restrict from, int n) {
	for (int x = 0; x < n; x++) to[x] = limited(from[x]);
}

/* Chroma of 4:2:2, 4:4:0 and 4:4:4 is averaged down to 4:2:0. */
static void two_rows(uint8_t *restrict to, const uint8_t *restrict a, const uint8_t *restrict b, int n) {
	for (int x = 0; x < n; x++) to[x] = limited((a[x] + b[x] + 1u) >> 1);
}

static void two_columns(uint8_t *restrict to, const uint8_t *restrict a, int n) {
	for (int x = 0; x < n; x++) to[x] = limited((a[2 * x] + a[2 * x + 1] + 1u) >> 1);
}

static void four(uint8_t *restrict to, const uint8_t *restrict a, const uint8_t *restrict b, int n) {
	for (int x = 0; x < n; x++) to[x] = limited((a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1] + 2u) >> 2);
}

/* kind checks that libjpeg gives planes that we can take; hs and vs are how many luma samples one chroma sample covers. */
static int kind(struct jpeg_decompress_struct *j, int *hs, int *vs) {
	if (jpeg_has_multiple_scans(j)) return 0; /* progressive: no camera does that, and it may cost any time */
	if (j->num_components == 1 && j->jpeg_color_space == JCS_GRAYSCALE) {
		*hs = *vs = 0;
		return 1;
	}
	if (j->num_components != 3 || j->jpeg_color_space != JCS_YCbCr) return 0;
	jpeg_component_info *c = j->comp_info;
	if (c[1].h_samp_factor != c[2].h_samp_factor || c[1].v_samp_factor != c[2].v_samp_factor) return 0;
	if (c[0].h_samp_factor % c[1].h_samp_factor || c[0].v_samp_factor % c[1].v_samp_factor) return 0;
	*hs = c[0].h_samp_factor / c[1].h_samp_factor;
	*vs = c[0].v_samp_factor / c[1].v_samp_factor;
	return *hs <= 2 && *vs <= 2 && c[0].h_samp_factor <= 2 && c[0].v_samp_factor <= 2;
}

int mj_decode(mj *d, const uint8_t *data, size_t size, int width, int height,
	uint8_t *y, uint8_t *u, uint8_t *v, int stride_y, int stride_uv) {
	struct jpeg_decompress_struct *j = &d->j;
	int hs, vs;
	d->damaged = 0;
	d->text[0] = 0;
	if (setjmp(d->leave)) {
		jpeg_abort_decompress(j);
		return MJ_BROKEN;
	}
	jpeg_mem_src(j, data, size);
	jpeg_read_header(j, TRUE);
	int code = MJ_OK;
	if ((int)j->image_width != width || (int)j->image_height != height) code = MJ_SIZE;
	else if (!kind(j, &hs, &vs)) code = MJ_KIND;
	if (code) {
		jpeg_abort_decompress(j);
		return code;
	}
	j->raw_data_out = TRUE;
	j->do_fancy_upsampling = FALSE;
	j->dct_method = JDCT_ISLOW;
	jpeg_start_decompress(j);

	int rows = j->max_v_samp_factor * DCTSIZE;
	size_t wide = ((size_t)width + 2 * DCTSIZE - 1) / (2 * DCTSIZE) * (2 * DCTSIZE);
	if (d->strip_size < 3 * wide * STRIP) {
		free(d->strip);
		d->strip = malloc(3 * wide * STRIP);
		d->strip_size = d->strip ? 3 * wide * STRIP : 0;
		if (!d->strip) {
			jpeg_abort_decompress(j);
			return MJ_MEMORY;
		}
	}
	JSAMPROW row[3][STRIP];
	JSAMPARRAY planes[3] = {row[0], row[1], row[2]};
	for (int c = 0; c < 3; c++)
		for (int i = 0; i < STRIP; i++) row[c][i] = d->strip + (c * STRIP + i) * wide;

	int w = width & ~1, h = height & ~1, cw = w / 2;
	for (int top = 0; top < h; top += rows) {
		if (jpeg_read_raw_data(j, planes, rows) == 0) break; /* our source never suspends */
		int n = h - top < rows ? h - top : rows;
		for (int i = 0; i < n; i++) luma(y + (size_t)(top + i) * stride_y, row[0][i], w);
		uint8_t *to[2] = {u, v};
		for (int c = 0; c < 2; c++) {
			JSAMPROW *from = row[1 + c];
			for (int i = 0; i < n / 2; i++) {
				uint8_t *o = to[c] + (size_t)(top / 2 + i) * stride_uv;
				if (hs == 0) memset(o, 128, cw);
				else if (hs == 2 && vs == 2) chroma(o, from[i], cw);
				else if (hs == 2) two_rows(o, from[2 * i], from[2 * i + 1], cw);
				else if (vs == 2) two_columns(o, from[i], cw);
				else four(o, from[2 * i], from[2 * i + 1], cw);
			}
		}
	}
	jpeg_abort_decompress(j); /* not finish: what follows the last row is of no interest */
	return d->damaged ? MJ_DAMAGED : MJ_OK;
}
