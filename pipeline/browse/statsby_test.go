package browse

import "testing"

func TestAUserKnowsTheFirstGroupAndWhetherThereAreMore(t *testing.T) {
	for _, c := range []struct {
		groups []int
		want   user
	}{
		{[]int{0}, 2}, {[]int{3, 3}, 8}, {[]int{3, 1}, 5}, {[]int{1, 3, 1}, 5}, {[]int{2, 1, 0}, 3},
	} {
		var u user
		for _, group := range c.groups {
			u = u.with(group)
		}
		if u != c.want {
			t.Errorf("groups %v: %d, want %d", c.groups, u, c.want)
		}
	}
}
