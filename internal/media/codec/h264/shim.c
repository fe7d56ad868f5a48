//go:build !noh264

#include "shim.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <wels/codec_api.h>

struct h264enc {
	ISVCEncoder *e;
	int width, height;
	uint8_t *packet;
	size_t room;
};

struct h264dec {
	ISVCDecoder *d;
};

int h264_enc_open(h264enc **out, int width, int height, float fps, int bps) {
	h264enc *h = calloc(1, sizeof *h);
	if (!h) return -1;
	h->width = width;
	h->height = height;
	int err = WelsCreateSVCEncoder(&h->e);
	if (err) {
		free(h);
		return err;
	}
	int quiet = WELS_LOG_QUIET;
	(*h->e)->SetOption(h->e, ENCODER_OPTION_TRACE_LEVEL, &quiet);
	SEncParamExt p;
	(*h->e)->GetDefaultParams(h->e, &p);
	p.iUsageType = CAMERA_VIDEO_REAL_TIME;
	p.iPicWidth = width;
	p.iPicHeight = height;
	p.fMaxFrameRate = fps;
	p.iTargetBitrate = bps;
	p.iMaxBitrate = UNSPECIFIED_BIT_RATE;
	p.iRCMode = RC_BITRATE_MODE;
	p.bEnableFrameSkip = true;
	p.uiIntraPeriod = 0; /* key frames on request, not by the clock */
	p.iMultipleThreadIdc = 1;
	p.iTemporalLayerNum = p.iSpatialLayerNum = 1;
	p.iEntropyCodingModeFlag = 0; /* CAVLC, as baseline wants it */
	p.iComplexityMode = LOW_COMPLEXITY;
	p.bEnableDenoise = false;
	p.bEnableSceneChangeDetect = false; /* it would add key frames */
	p.bEnableBackgroundDetection = true;
	p.bEnableAdaptiveQuant = true;
	p.eSpsPpsIdStrategy = CONSTANT_ID; /* one decoder serves all sizes of a call */
	p.bPrefixNalAddingCtrl = false;
	SSpatialLayerConfig *l = &p.sSpatialLayers[0];
	l->iVideoWidth = width;
	l->iVideoHeight = height;
	l->fFrameRate = fps;
	l->iSpatialBitrate = bps;
	l->iMaxSpatialBitrate = UNSPECIFIED_BIT_RATE;
	l->uiProfileIdc = PRO_BASELINE;
	l->sSliceArgument.uiSliceMode = SM_SINGLE_SLICE;
	err = (*h->e)->InitializeExt(h->e, &p);
	if (err) {
		WelsDestroySVCEncoder(h->e);
		free(h);
		return err;
	}
	int format = videoFormatI420;
	(*h->e)->SetOption(h->e, ENCODER_OPTION_DATAFORMAT, &format);
	*out = h;
	return 0;
}

void h264_enc_close(h264enc *h) {
	(*h->e)->Uninitialize(h->e);
	WelsDestroySVCEncoder(h->e);
	free(h->packet);
	free(h);
}

int h264_enc_rate(h264enc *h, int bps) {
	SBitrateInfo b = {SPATIAL_LAYER_ALL, bps};
	return (*h->e)->SetOption(h->e, ENCODER_OPTION_BITRATE, &b);
}

int h264_enc_frame(h264enc *h, const uint8_t *y, const uint8_t *u, const uint8_t *v, int stride, int stride_uv,
	int64_t ms, int key, const uint8_t **data, size_t *size, int *is_key) {
	*data = NULL;
	*size = 0;
	*is_key = 0;
	if (key) (*h->e)->ForceIntraFrame(h->e, true);
	SSourcePicture pic;
	memset(&pic, 0, sizeof pic);
	pic.iColorFormat = videoFormatI420;
	pic.iPicWidth = h->width;
	pic.iPicHeight = h->height;
	pic.iStride[0] = stride;
	pic.iStride[1] = pic.iStride[2] = stride_uv;
	pic.pData[0] = (unsigned char *)y;
	pic.pData[1] = (unsigned char *)u;
	pic.pData[2] = (unsigned char *)v;
	pic.uiTimeStamp = ms;
	SFrameBSInfo info;
	memset(&info, 0, sizeof info);
	int err = (*h->e)->EncodeFrame(h->e, &pic, &info);
	if (err) return err;
	if (info.eFrameType == videoFrameTypeSkip || info.eFrameType == videoFrameTypeInvalid) return 0;
	size_t total = 0;
	for (int i = 0; i < info.iLayerNum; i++)
		for (int n = 0; n < info.sLayerInfo[i].iNalCount; n++) total += info.sLayerInfo[i].pNalLengthInByte[n];
	if (h->room < total) {
		free(h->packet);
		h->packet = malloc(2 * total);
		h->room = h->packet ? 2 * total : 0;
		if (!h->packet) return -1;
	}
	for (int i = 0; i < info.iLayerNum; i++) {
		size_t length = 0;
		for (int n = 0; n < info.sLayerInfo[i].iNalCount; n++) length += info.sLayerInfo[i].pNalLengthInByte[n];
		memcpy(h->packet + *size, info.sLayerInfo[i].pBsBuf, length);
		*size += length;
	}
	*data = h->packet;
	*is_key = info.eFrameType == videoFrameTypeIDR;
	return 0;
}

int h264_dec_open(h264dec **out) {
	h264dec *h = calloc(1, sizeof *h);
	if (!h) return -1;
	long err = WelsCreateDecoder(&h->d);
	if (err) {
		free(h);
		return err;
	}
	int quiet = WELS_LOG_QUIET;
	(*h->d)->SetOption(h->d, DECODER_OPTION_TRACE_LEVEL, &quiet);
	SDecodingParam p;
	memset(&p, 0, sizeof p);
	p.eEcActiveIdc = ERROR_CON_DISABLE; /* a damaged picture is an error, not a guess */
	p.sVideoProperty.eVideoBsType = VIDEO_BITSTREAM_AVC;
	err = (*h->d)->Initialize(h->d, &p);
	if (err) {
		WelsDestroyDecoder(h->d);
		free(h);
		return err;
	}
	*out = h;
	return 0;
}

void h264_dec_close(h264dec *h) {
	(*h->d)->Uninitialize(h->d);
	WelsDestroyDecoder(h->d);
	free(h);
}

int h264_dec_packet(h264dec *h, const uint8_t *data, size_t size, h264_picture *out) {
	memset(out, 0, sizeof *out);
	unsigned char *planes[3] = {0};
	SBufferInfo info;
	memset(&info, 0, sizeof info);
	int err = (*h->d)->DecodeFrameNoDelay(h->d, data, (int)size, planes, &info);
	if (err) return err;
	if (info.iBufferStatus != 1 || !planes[0] || !planes[1] || !planes[2]) return 0;
	SSysMEMBuffer *b = &info.UsrData.sSystemBuffer;
	if (b->iFormat != videoFormatI420) return -1;
	out->y = planes[0];
	out->u = planes[1];
	out->v = planes[2];
	out->stride = b->iStride[0];
	out->stride_uv = b->iStride[1];
	out->width = b->iWidth;
	out->height = b->iHeight;
	return 0;
}
