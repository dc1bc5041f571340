package page

import "slices"

// line is a line of the difference between two texts.
type line struct {
	Kind string `json:"kind"` // same, less, more, or skip for lines that are left out
	Text string `json:"text"`
	N    int    `json:"n"` // of the line in the text that has it, or of those that are left out
}

// around is how many equal lines are shown beside those that differ.
const around = 3

// mostCompared bounds the product of the lines that are compared one with another.
const mostCompared = 4 << 20

// difference is what has come and gone between two texts, nil if nothing has.
func difference(a, b []string) []line {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var all []line
	for i := range head {
		all = append(all, line{"same", b[i], i + 1})
	}
	all = middle(all, a[head:len(a)-tail], b[head:len(b)-tail], head)
	for i := len(b) - tail; i < len(b); i++ {
		all = append(all, line{"same", b[i], i + 1})
	}
	return shortened(all)
}

// middle compares what lies between equal ends, by the longest row of lines that both have.
func middle(all []line, a, b []string, before int) []line {
	common := longest(a, b)
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && common != nil && a[i] == b[j]:
			all = append(all, line{"same", b[j], before + j + 1})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common == nil || common[i+1][j] >= common[i][j+1]):
			all = append(all, line{"less", a[i], before + i + 1})
			i++
		default:
			all = append(all, line{"more", b[j], before + j + 1})
			j++
		}
	}
	return all
}

// longest tells of each pair of ends of two texts how many lines they have in common; nil if that
// is too much to be found out.
func longest(a, b []string) [][]uint16 {
	if (len(a)+1)*(len(b)+1) > mostCompared {
		return nil
	}
	common := make([][]uint16, len(a)+1)
	for i := range common {
		common[i] = make([]uint16, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	return common
}

// shortened leaves out equal lines far from others.
func shortened(all []line) (short []line) {
	if !slices.ContainsFunc(all, func(l line) bool { return l.Kind != "same" }) {
		return nil
	}
	near := make([]bool, len(all))
	for i, l := range all {
		for j := max(0, i-around); l.Kind != "same" && j < min(len(all), i+around+1); j++ {
			near[j] = true
		}
	}
	for i, l := range all {
		switch n := len(short); {
		case near[i]:
			short = append(short, l)
		case n > 0 && short[n-1].Kind == "skip":
			short[n-1].N++
		default:
			short = append(short, line{Kind: "skip", N: 1})
		}
	}
	return short
}
