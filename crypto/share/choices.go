package share

import "iter"

// mostTries bounds the work of finding right shares among wrong ones.
const mostTries = 2000

// choices yields the ways to choose n shares, those with the first shares first, and at most
// mostTries.
func choices(shares []Share, n int) iter.Seq[[]Share] {
	return func(yield func([]Share) bool) {
		at := make([]int, n)
		for i := range at {
			at[i] = i
		}
		for range mostTries {
			chosen := make([]Share, n)
			for i, k := range at {
				chosen[i] = shares[k]
			}
			if !yield(chosen) || !advance(at, len(shares)) {
				return
			}
		}
	}
}

// advance moves to the next choice of ascending places below total. It reports whether there is
// one.
func advance(at []int, total int) bool {
	for i := len(at) - 1; i >= 0; i-- {
		if at[i] == total-len(at)+i {
			continue
		}
		at[i]++
		for k := i + 1; k < len(at); k++ {
			at[k] = at[k-1] + 1
		}
		return true
	}
	return false
}
