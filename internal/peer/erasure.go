package peer

// Reed-Solomon erasure code over GF(256): any k of k data and m parity shards give the data back. The matrix is
// Cauchy's, 1/(x_i + y_j), with its columns scaled so that the first row is all ones: the first parity is the plain XOR.
// Scaling columns keeps every square part invertible (Plank and Xu, "Optimizing Cauchy Reed-Solomon codes", 2006).

const (
	maxData   = 48 // shards; y_j = j
	maxParity = 15 // x_i = 255-i
)

var (
	gfExp [510]byte
	gfLog [256]int
	gfMul [256][256]byte
)

func init() {
	x := 1
	for i := range 255 {
		gfExp[i], gfExp[i+255] = byte(x), byte(x)
		gfLog[x] = i
		if x <<= 1; x > 255 {
			x ^= 0x11d
		}
	}
	for a := 1; a < 256; a++ {
		for b := 1; b < 256; b++ {
			gfMul[a][b] = gfExp[gfLog[a]+gfLog[b]]
		}
	}
}

func gfInverse(a byte) byte { return gfExp[255-gfLog[a]] }

// coefficient is what data shard j is multiplied by in parity shard i.
func coefficient(i, j int) byte {
	return gfMul[byte(255^j)][gfInverse(byte((255-i)^j))]
}

// addTimes adds c times src to dst, which is at least as long.
func addTimes(dst, src []byte, c byte) {
	if c == 0 {
		return
	}
	times := &gfMul[c]
	for i, b := range src {
		dst[i] ^= times[b]
	}
}

// encodeParity computes parity shard i into out, which is zero and as long as the longest; shorter data counts as
// followed by zeros.
func encodeParity(out []byte, i int, data [][]byte) {
	for j, d := range data {
		addTimes(out, d, coefficient(i, j))
	}
}

// reconstruct works out the missing (nil) ones of data from at least as many parities, which are nil or all of one
// length that no data exceeds. It spoils the parities. False when there are too few.
func reconstruct(data, parities [][]byte) bool {
	var missing, rows []int
	for j, d := range data {
		if d == nil {
			missing = append(missing, j)
		}
	}
	for i, p := range parities {
		if p != nil && len(rows) < len(missing) {
			rows = append(rows, i)
		}
	}
	if len(rows) < len(missing) {
		return false
	}
	// What is left of each parity without the data that we have is a sum over the missing: one equation.
	matrix := make([][]byte, len(rows))
	for r, i := range rows {
		for j, d := range data {
			addTimes(parities[i], d, coefficient(i, j))
		}
		matrix[r] = make([]byte, len(missing))
		for k, j := range missing {
			matrix[r][k] = coefficient(i, j)
		}
	}
	for k := range missing { // Gauss and Jordan; every square part of a Cauchy matrix is invertible, so is this one
		pivot := k
		for matrix[pivot][k] == 0 {
			pivot++
		}
		matrix[k], matrix[pivot] = matrix[pivot], matrix[k]
		rows[k], rows[pivot] = rows[pivot], rows[k]
		own := parities[rows[k]]
		scale := gfInverse(matrix[k][k])
		multiply(matrix[k], scale)
		multiply(own, scale)
		for r := range rows {
			if c := matrix[r][k]; r != k && c != 0 {
				addTimes(matrix[r], matrix[k], c)
				addTimes(parities[rows[r]], own, c)
			}
		}
	}
	for k, j := range missing {
		data[j] = parities[rows[k]]
	}
	return true
}

func multiply(b []byte, c byte) {
	times := &gfMul[c]
	for i := range b {
		b[i] = times[b[i]]
	}
}
