//go:build !soak

package pipeline_test

// corruptionPairs is of how many pairs of objects one is tried.
const corruptionPairs = 11

// corruptionFull is of how many changes of content alone one is tested in full.
const corruptionFull = 1

// lengths are to what an object of a size is cut.
func lengths(size int) []int { return []int{0, size / 2, size - 1} }

// bits are those of an object that are flipped: one of each eighth.
func bits(size int) (all []int) {
	for i := range 8 {
		all = append(all, i*size+i)
	}
	return all
}
