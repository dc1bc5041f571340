package machine

import (
	"errors"
	"slices"
	"testing"

	"github.com/packstone/packstone/catalog"
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

func TestOnlyASensibleRateOfProgressIsTaken(t *testing.T) {
	for text, want := range map[string]float64{"": 0, "0.5": 0.5, "60": 60} {
		if got, err := (Env{"PACKSTONE_PROGRESS_FPS": text}).FramesPerSecond(); got != want || err != nil {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"0", "-1", "61", "NaN", "often"} {
		if got, err := (Env{"PACKSTONE_PROGRESS_FPS": text}).FramesPerSecond(); !errors.Is(err, catalog.ErrMisuse) {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, catalog.ErrMisuse)
		}
	}
}
