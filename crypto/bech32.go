package crypto

import "strings"

const bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// bech32 encodes a secret key as age writes it: Bech32 (BIP 173, without its length limit) in upper
// case. The prefix is age's, for example "AGE-SECRET-KEY-".
func bech32(prefix string, data []byte) string {
	prefix = strings.ToLower(prefix)
	groups := fiveBits(data)
	sum := bech32Sum(prefix, groups)
	text := []byte(prefix + "1")
	for _, g := range groups {
		text = append(text, bech32Alphabet[g])
	}
	for shift := 25; shift >= 0; shift -= 5 {
		text = append(text, bech32Alphabet[sum>>shift&31])
	}
	return strings.ToUpper(string(text))
}

// unBech32 returns the bytes in a text that bech32 or age has written. It does not test the
// checksum.
func unBech32(text string) (data []byte) {
	text = strings.ToLower(text)
	text = text[strings.LastIndexByte(text, '1')+1:]
	var pending, bits uint32
	for _, c := range []byte(text[:max(0, len(text)-6)]) {
		pending, bits = pending<<5|uint32(strings.IndexByte(bech32Alphabet, c)), bits+5
		if bits >= 8 {
			bits -= 8
			data = append(data, byte(pending>>bits))
		}
	}
	return data
}

// fiveBits regroups bytes into groups of five bits, most significant first, zeros at the end.
func fiveBits(data []byte) (groups []byte) {
	var pending, bits uint32
	for _, b := range data {
		pending, bits = pending<<8|uint32(b), bits+8
		for bits >= 5 {
			bits -= 5
			groups = append(groups, byte(pending>>bits&31))
		}
	}
	if bits > 0 {
		groups = append(groups, byte(pending<<(5-bits)&31))
	}
	return groups
}

// bech32Sum returns the checksum of BIP 173: the remainder of a polynomial over GF(32).
func bech32Sum(prefix string, groups []byte) uint32 {
	sum := uint32(1)
	step := func(v byte) {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ uint32(v)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			sum ^= g * (top >> i & 1)
		}
	}
	for _, c := range []byte(prefix) {
		step(c >> 5)
	}
	step(0)
	for _, c := range []byte(prefix) {
		step(c & 31)
	}
	for _, g := range groups {
		step(g)
	}
	for range 6 {
		step(0)
	}
	return sum ^ 1
}
