package config

import (
	"errors"
	"testing"

	"github.com/packstone/packstone/catalog"
)

func TestWithoutANameTheRepositoryOfTheSetIsMeant(t *testing.T) {
	two := map[string]Target{"a": {URL: "/a"}, "b": {URL: "/b"}}
	tests := []struct {
		sets      map[string]Set
		set, want string // "": it must be named
	}{
		{nil, "", ""},
		{map[string]Set{"s": {To: []string{"b", "a"}}}, "", "b"},
		{map[string]Set{"s": {To: []string{"b", "a"}}, "t": {To: []string{"a"}}}, "", ""},
		{map[string]Set{"s": {To: []string{"b", "a"}}, "t": {To: []string{"a"}}}, "t", "a"},
		{map[string]Set{"s": {To: []string{"b"}}, "t": {}}, "", "b"},
		{map[string]Set{"s": {To: []string{"b"}}, "t": {}}, "t", ""},
	}
	for _, test := range tests {
		got, err := (&Config{Repositories: two, Sets: test.sets}).RepositoryFor(test.set)
		if got != test.want || (err != nil) != (test.want == "") || err != nil && !errors.Is(err, catalog.ErrMisuse) {
			t.Errorf("%+v, set %q: got %q and %v, want %q", test.sets, test.set, got, err, test.want)
		}
	}
	if got, err := (&Config{Repositories: map[string]Target{"only": {}}}).RepositoryFor("any"); got != "only" || err != nil {
		t.Errorf("the only one: got %q and %v", got, err)
	}
}
