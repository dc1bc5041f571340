package machine

import (
	"slices"
	"testing"
)

func TestPathsFollowXDG(t *testing.T) {
	got := NewEnv([]string{"HOME=/h", "XDG_CACHE_HOME=/c", "XDG_DATA_HOME=relative"}).Paths()
	want := Paths{Repository: "/h/.local/share/packstone/repository", Config: "/h/.config/packstone", Cache: "/c/packstone", State: "/h/.local/state/packstone", System: "/etc/packstone/packstone.yaml"}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := want.WriterFile("id"); got != "/h/.config/packstone/writers/id.key" {
		t.Errorf("the writer's key is at %s", got)
	}
}

func TestProgramsThatAreStartedSeeNoSecrets(t *testing.T) {
	env := NewEnv([]string{
		"HOME=/h", "EMPTY=", "PACKSTONE_IDENTITY=key", "PACKSTONE_WRITER_FILE=/k", "PGPASSWORD=x", "MY_PASSWORD=x", "AWS_SECRET_ACCESS_KEY=x", "PACKSTONE_PASSPHRASE_FILE=/p",
	})
	for _, test := range []struct{ named, want []string }{
		{nil, []string{"HOME=/h", "PGPASSWORD=x"}},
		{[]string{"MY_PASSWORD", "EMPTY"}, []string{"HOME=/h", "MY_PASSWORD=x", "PGPASSWORD=x"}},
	} {
		got := env.ForPrograms(test.named...)
		slices.Sort(got)
		if !slices.Equal(got, test.want) {
			t.Errorf("with %q: got %q, want %q", test.named, got, test.want)
		}
	}
}
