package peer

import (
	"bytes"
	"math/rand"
	"testing"
)

// Whatever is lost, as many parities as there are losses bring it back.
func TestErasureAnyKOfN(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 400 {
		k, m := 1+r.Intn(maxData), 1+r.Intn(maxParity)
		data := make([][]byte, k)
		size := 0
		for j := range data {
			data[j] = make([]byte, 1+r.Intn(60))
			r.Read(data[j])
			size = max(size, len(data[j]))
		}
		parities := make([][]byte, m)
		for i := range parities {
			parities[i] = make([]byte, size)
			encodeParity(parities[i], i, data)
		}
		lost := r.Perm(k)[:min(r.Intn(m+1), k)]
		got := append([][]byte(nil), data...)
		for _, j := range lost {
			got[j] = nil
		}
		for _, i := range r.Perm(m)[:m-len(lost)] {
			parities[i] = nil
		}
		if !reconstruct(got, parities) {
			t.Fatalf("%d of %d with %d parities", len(lost), k, m)
		}
		for j, d := range got {
			if !bytes.Equal(d[:len(data[j])], data[j]) || len(bytes.Trim(d[len(data[j]):], "\x00")) > 0 {
				t.Fatalf("shard %d of %d is wrong after %d losses", j, k, len(lost))
			}
		}
	}
}

func TestErasureTooFew(t *testing.T) {
	data := [][]byte{{1}, nil, nil}
	if reconstruct(data, [][]byte{{1}, nil}) || data[1] != nil {
		t.Error("two packets out of one parity")
	}
}

func TestFirstParityIsXOR(t *testing.T) {
	out := make([]byte, 2)
	encodeParity(out, 0, [][]byte{{1, 2}, {4}, {8, 16}})
	if out[0] != 13 || out[1] != 18 {
		t.Errorf("%v", out)
	}
}

func BenchmarkParity(b *testing.B) {
	data := make([][]byte, 10)
	for j := range data {
		data[j] = bytes.Repeat([]byte{byte(j)}, 1170)
	}
	out := make([]byte, 1170)
	b.SetBytes(int64(len(data) * len(out)))
	for b.Loop() {
		encodeParity(out, 1, data)
	}
}
