//go:build soak

package pipeline_test

// corruptionPairs is of how many pairs of objects one is tried: of each.
const corruptionPairs = 1

// corruptionFull is of how many changes of content alone one is tested in full.
const corruptionFull = 61

// lengths are to what an object of a size is cut: to each length.
func lengths(size int) []int { return upTo(size) }

// bits are those of an object that are flipped: each.
func bits(size int) []int { return upTo(8 * size) }

// upTo is 0 to n-1, or one in stride of them.
func upTo(n int) (all []int) {
	for i := 0; i < n; i += stride {
		all = append(all, i)
	}
	return all
}
