// Package report is what a media connection has measured, under the names of W3C's Identifiers for WebRTC's Statistics
// API (https://www.w3.org/TR/webrtc-stats/), so that it reads like a browser's getStats. Peer fills it once a second, the
// client prints it. Plain values, no behaviour; all counters are totals since the beginning of the call, durations are in
// seconds, sizes in bytes, rates in bits a second.
package report

// Report is one connection's statistics.
type Report struct {
	OutboundVideo OutboundVideo
	OutboundAudio OutboundAudio
	InboundVideo  InboundVideo
	InboundAudio  InboundAudio
	CandidatePair CandidatePair
}

// Objects gives the report as getStats lists it.
func (r *Report) Objects() []any {
	return []any{r.OutboundVideo, r.OutboundAudio, r.InboundVideo, r.InboundAudio, r.CandidatePair}
}

// Types of an object.
const (
	OutboundRTP       = "outbound-rtp"
	InboundRTP        = "inbound-rtp"
	CandidatePairType = "candidate-pair"
)

// Stream is what all four have: RTCStats, RTCRtpStreamStats, and of RTCCodecStats the name.
type Stream struct {
	Type     string `json:"type"`
	Kind     string `json:"kind"` // "video", "audio"
	SSRC     uint32 `json:"ssrc"`
	MimeType string `json:"mimeType,omitempty"` // "video/VP9"; empty before the first packet
}

// Outbound is what pictures and sound have in common on their way out: RTCSentRtpStreamStats, RTCOutboundRtpStreamStats,
// and what the other side reports of them (RTCRemoteInboundRtpStreamStats).
type Outbound struct {
	Stream
	PacketsSent              int64   `json:"packetsSent"` // retransmissions too
	BytesSent                int64   `json:"bytesSent"`   // without headers
	HeaderBytesSent          int64   `json:"headerBytesSent"`
	RetransmittedPacketsSent int64   `json:"retransmittedPacketsSent"`
	RetransmittedBytesSent   int64   `json:"retransmittedBytesSent"`
	NackCount                int64   `json:"nackCount"` // requests that came
	TargetBitrate            float64 `json:"targetBitrate"`
	FractionLost             float64 `json:"fractionLost"` // 0 to 1; the other's last report
	RoundTripTime            float64 `json:"roundTripTime"`
}

// OutboundAudio is our sound.
type OutboundAudio struct {
	Outbound
}

// OutboundVideo is our picture.
type OutboundVideo struct {
	Outbound
	FramesEncoded              int64              `json:"framesEncoded"`
	KeyFramesEncoded           int64              `json:"keyFramesEncoded"`
	FramesSent                 int64              `json:"framesSent"`
	FramesPerSecond            float64            `json:"framesPerSecond"` // encoded in the last second
	FrameWidth                 int                `json:"frameWidth"`
	FrameHeight                int                `json:"frameHeight"`
	TotalEncodeTime            float64            `json:"totalEncodeTime"`
	QualityLimitationReason    string             `json:"qualityLimitationReason"` // "none", "cpu", "bandwidth"
	QualityLimitationDurations map[string]float64 `json:"qualityLimitationDurations"`
	PLICount                   int64              `json:"pliCount"` // that came
	FIRCount                   int64              `json:"firCount"`
}

// Inbound is what pictures and sound have in common on their way in: RTCReceivedRtpStreamStats, RTCInboundRtpStreamStats.
type Inbound struct {
	Stream
	PacketsReceived              int64   `json:"packetsReceived"`
	PacketsLost                  int64   `json:"packetsLost"` // before repair
	PacketsDiscarded             int64   `json:"packetsDiscarded"`
	Jitter                       float64 `json:"jitter"`
	BytesReceived                int64   `json:"bytesReceived"` // without headers
	HeaderBytesReceived          int64   `json:"headerBytesReceived"`
	RetransmittedPacketsReceived int64   `json:"retransmittedPacketsReceived"`
	RetransmittedBytesReceived   int64   `json:"retransmittedBytesReceived"`
	FECPacketsReceived           int64   `json:"fecPacketsReceived"`
	NackCount                    int64   `json:"nackCount"` // requests that we sent
	JitterBufferDelay            float64 `json:"jitterBufferDelay"`
	JitterBufferTargetDelay      float64 `json:"jitterBufferTargetDelay"`
	JitterBufferEmittedCount     int64   `json:"jitterBufferEmittedCount"`
}

// InboundAudio is the other's sound. Samples are at 48 kHz.
type InboundAudio struct {
	Inbound
	TotalSamplesReceived           int64 `json:"totalSamplesReceived"`
	ConcealedSamples               int64 `json:"concealedSamples"`
	SilentConcealedSamples         int64 `json:"silentConcealedSamples"`
	ConcealmentEvents              int64 `json:"concealmentEvents"`
	InsertedSamplesForDeceleration int64 `json:"insertedSamplesForDeceleration"`
	RemovedSamplesForAcceleration  int64 `json:"removedSamplesForAcceleration"`
}

// InboundVideo is the other's picture.
type InboundVideo struct {
	Inbound
	FramesReceived       int64   `json:"framesReceived"`
	FramesDecoded        int64   `json:"framesDecoded"`
	KeyFramesDecoded     int64   `json:"keyFramesDecoded"`
	FramesRendered       int64   `json:"framesRendered"`
	FramesDropped        int64   `json:"framesDropped"`
	FramesPerSecond      float64 `json:"framesPerSecond"` // shown in the last second
	FrameWidth           int     `json:"frameWidth"`
	FrameHeight          int     `json:"frameHeight"`
	TotalDecodeTime      float64 `json:"totalDecodeTime"`
	FreezeCount          int64   `json:"freezeCount"`
	TotalFreezesDuration float64 `json:"totalFreezesDuration"`
	PauseCount           int64   `json:"pauseCount"`
	TotalPausesDuration  float64 `json:"totalPausesDuration"`
	PLICount             int64   `json:"pliCount"` // that we sent
	FIRCount             int64   `json:"firCount"`
}

// CandidatePair is the path in use: RTCIceCandidatePairStats, and of its two RTCIceCandidateStats the type.
type CandidatePair struct {
	Type                     string  `json:"type"`
	State                    string  `json:"state"`
	BytesSent                int64   `json:"bytesSent"` // of media, with headers, retransmissions too
	BytesReceived            int64   `json:"bytesReceived"`
	CurrentRoundTripTime     float64 `json:"currentRoundTripTime"`
	AvailableOutgoingBitrate float64 `json:"availableOutgoingBitrate"`
	Local                    string  `json:"localCandidateType,omitempty"` // candidateType of the local one: "host", "srflx", "prflx", "relay"
	Remote                   string  `json:"remoteCandidateType,omitempty"`
}

// Totals are what most readers look for, in one flat object. Where there are several streams: frames of the picture,
// samples, jitter and its buffer of the sound, packets and bytes of both; requests are those that we sent.
type Totals struct {
	FramesEncoded                  int64   `json:"framesEncoded"`
	KeyFramesEncoded               int64   `json:"keyFramesEncoded"`
	FramesSent                     int64   `json:"framesSent"`
	FramesReceived                 int64   `json:"framesReceived"`
	FramesDecoded                  int64   `json:"framesDecoded"`
	KeyFramesDecoded               int64   `json:"keyFramesDecoded"`
	FramesDropped                  int64   `json:"framesDropped"`
	QualityLimitationReason        string  `json:"qualityLimitationReason"`
	TotalEncodeTime                float64 `json:"totalEncodeTime"`
	TotalDecodeTime                float64 `json:"totalDecodeTime"`
	FreezeCount                    int64   `json:"freezeCount"`
	TotalFreezesDuration           float64 `json:"totalFreezesDuration"`
	PauseCount                     int64   `json:"pauseCount"`
	PacketsSent                    int64   `json:"packetsSent"`
	BytesSent                      int64   `json:"bytesSent"`
	RetransmittedPacketsSent       int64   `json:"retransmittedPacketsSent"`
	RetransmittedBytesSent         int64   `json:"retransmittedBytesSent"`
	PacketsReceived                int64   `json:"packetsReceived"`
	BytesReceived                  int64   `json:"bytesReceived"`
	PacketsLost                    int64   `json:"packetsLost"`
	PacketsDiscarded               int64   `json:"packetsDiscarded"`
	FECPacketsReceived             int64   `json:"fecPacketsReceived"`
	NackCount                      int64   `json:"nackCount"`
	PLICount                       int64   `json:"pliCount"`
	FIRCount                       int64   `json:"firCount"`
	Jitter                         float64 `json:"jitter"`
	JitterBufferDelay              float64 `json:"jitterBufferDelay"`
	JitterBufferEmittedCount       int64   `json:"jitterBufferEmittedCount"`
	TotalSamplesReceived           int64   `json:"totalSamplesReceived"`
	ConcealedSamples               int64   `json:"concealedSamples"`
	SilentConcealedSamples         int64   `json:"silentConcealedSamples"`
	ConcealmentEvents              int64   `json:"concealmentEvents"`
	InsertedSamplesForDeceleration int64   `json:"insertedSamplesForDeceleration"`
	RemovedSamplesForAcceleration  int64   `json:"removedSamplesForAcceleration"`
	TargetBitrate                  float64 `json:"targetBitrate"` // of the picture
	AvailableOutgoingBitrate       float64 `json:"availableOutgoingBitrate"`
	MimeType                       string  `json:"mimeType,omitempty"` // of the received picture
	Local                          string  `json:"localCandidateType,omitempty"`
	Remote                         string  `json:"remoteCandidateType,omitempty"`
}

// Totals adds up.
func (r *Report) Totals() Totals {
	ov, oa, iv, ia, p := &r.OutboundVideo, &r.OutboundAudio, &r.InboundVideo, &r.InboundAudio, &r.CandidatePair
	return Totals{
		FramesEncoded: ov.FramesEncoded, KeyFramesEncoded: ov.KeyFramesEncoded, FramesSent: ov.FramesSent,
		FramesReceived: iv.FramesReceived, FramesDecoded: iv.FramesDecoded, KeyFramesDecoded: iv.KeyFramesDecoded,
		FramesDropped: iv.FramesDropped, QualityLimitationReason: ov.QualityLimitationReason,
		TotalEncodeTime: ov.TotalEncodeTime, TotalDecodeTime: iv.TotalDecodeTime,
		FreezeCount: iv.FreezeCount, TotalFreezesDuration: iv.TotalFreezesDuration, PauseCount: iv.PauseCount,
		PacketsSent: ov.PacketsSent + oa.PacketsSent, BytesSent: ov.BytesSent + oa.BytesSent,
		RetransmittedPacketsSent: ov.RetransmittedPacketsSent + oa.RetransmittedPacketsSent,
		RetransmittedBytesSent:   ov.RetransmittedBytesSent + oa.RetransmittedBytesSent,
		PacketsReceived:          iv.PacketsReceived + ia.PacketsReceived, BytesReceived: iv.BytesReceived + ia.BytesReceived,
		PacketsLost: iv.PacketsLost + ia.PacketsLost, PacketsDiscarded: iv.PacketsDiscarded + ia.PacketsDiscarded,
		FECPacketsReceived: iv.FECPacketsReceived + ia.FECPacketsReceived,
		NackCount:          iv.NackCount + ia.NackCount, PLICount: iv.PLICount, FIRCount: iv.FIRCount,
		Jitter: ia.Jitter, JitterBufferDelay: ia.JitterBufferDelay, JitterBufferEmittedCount: ia.JitterBufferEmittedCount,
		TotalSamplesReceived: ia.TotalSamplesReceived, ConcealedSamples: ia.ConcealedSamples,
		SilentConcealedSamples: ia.SilentConcealedSamples, ConcealmentEvents: ia.ConcealmentEvents,
		InsertedSamplesForDeceleration: ia.InsertedSamplesForDeceleration,
		RemovedSamplesForAcceleration:  ia.RemovedSamplesForAcceleration,
		TargetBitrate:                  ov.TargetBitrate, AvailableOutgoingBitrate: p.AvailableOutgoingBitrate,
		MimeType: iv.MimeType, Local: p.Local, Remote: p.Remote,
	}
}
