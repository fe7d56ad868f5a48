package report

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// dictionaries that each object takes its names from.
var dictionaries = map[string][]string{
	"OutboundVideo": {"RTCStats", "RTCRtpStreamStats", "RTCCodecStats", "RTCSentRtpStreamStats", "RTCOutboundRtpStreamStats", "RTCRemoteInboundRtpStreamStats"},
	"OutboundAudio": {"RTCStats", "RTCRtpStreamStats", "RTCCodecStats", "RTCSentRtpStreamStats", "RTCOutboundRtpStreamStats", "RTCRemoteInboundRtpStreamStats"},
	"InboundVideo":  {"RTCStats", "RTCRtpStreamStats", "RTCCodecStats", "RTCReceivedRtpStreamStats", "RTCInboundRtpStreamStats"},
	"InboundAudio":  {"RTCStats", "RTCRtpStreamStats", "RTCCodecStats", "RTCReceivedRtpStreamStats", "RTCInboundRtpStreamStats"},
	"CandidatePair": {"RTCStats", "RTCIceCandidatePairStats"},
}

// ours are the two names that stand for a member of another object.
var ours = map[string]string{"localCandidateType": "candidateType", "remoteCandidateType": "candidateType"}

// Every name is the specification's, and in the dictionary where it belongs.
func TestNamesAreTheSpecifications(t *testing.T) {
	b, err := os.ReadFile("testdata/webrtc-stats.txt")
	if err != nil {
		t.Fatal(err)
	}
	spec := map[string]map[string]bool{}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) != 2 || f[0] == "#" {
			continue
		}
		if spec[f[0]] == nil {
			spec[f[0]] = map[string]bool{}
		}
		spec[f[0]][f[1]] = true
	}
	objects := reflect.TypeFor[Report]()
	for i := range objects.NumField() {
		object := objects.Field(i)
		from, ok := dictionaries[object.Name]
		if !ok {
			t.Fatalf("%s has no dictionary", object.Name)
		}
		for _, name := range names(object.Type) {
			if other, ok := ours[name]; ok {
				if !spec["RTCIceCandidateStats"][other] {
					t.Errorf("%s: %s", object.Name, other)
				}
				continue
			}
			found := false
			for _, d := range from {
				found = found || spec[d][name]
			}
			if !found {
				t.Errorf("%s: %q is in none of %v", object.Name, name, from)
			}
		}
	}
	for _, name := range names(reflect.TypeFor[Totals]()) {
		found := ours[name] != ""
		for _, members := range spec {
			found = found || members[name]
		}
		if !found {
			t.Errorf("Totals: %q is in no dictionary", name)
		}
	}
	if n := len(names(reflect.TypeFor[InboundVideo]())); n < 25 {
		t.Errorf("only %d names of received pictures seen", n)
	}
}

func names(s reflect.Type) (all []string) {
	for _, f := range reflect.VisibleFields(s) {
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); !f.Anonymous {
			all = append(all, tag)
		}
	}
	return all
}

// Each total is taken from the stream that its comment says: a number of its own in every field shows it.
func TestTotals(t *testing.T) {
	var r Report
	n := int64(0)
	number(reflect.ValueOf(&r).Elem(), &n)
	totals := r.Totals()
	v := reflect.ValueOf(totals)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s is not filled", v.Type().Field(i).Name)
		}
	}
	if totals.PacketsSent != r.OutboundVideo.PacketsSent+r.OutboundAudio.PacketsSent || totals.Jitter != r.InboundAudio.Jitter ||
		totals.NackCount != r.InboundVideo.NackCount+r.InboundAudio.NackCount || totals.FramesDecoded != r.InboundVideo.FramesDecoded {
		t.Errorf("%+v of %+v", totals, r)
	}
	if n := len(r.Objects()); n != reflect.TypeFor[Report]().NumField() {
		t.Errorf("%d objects", n)
	}
}

// number fills every field with another value.
func number(v reflect.Value, n *int64) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			number(v.Field(i), n)
		}
	case reflect.String:
		v.SetString("text")
	case reflect.Float64:
		v.SetFloat(float64(*n))
	case reflect.Int, reflect.Int64:
		v.SetInt(*n)
	}
}
