package machine

import (
	"maps"
	"testing"
)

func TestWhatIsSaidOfTheOtherRepositoryTakesThePlaceOfWhatIsSaidOfThisOne(t *testing.T) {
	got := Env{
		"PACKSTONE_REPOSITORY": "here", "PACKSTONE_IDENTITY_FILE": "ours", "PACKSTONE_S3_ACCESS_KEY_FILE": "k", "PACKSTONE_WRITER_FILE": "w", "HOME": "/h",
		"PACKSTONE_FROM_REPOSITORY_FILE": "there", "PACKSTONE_FROM_IDENTITY_COMMAND": "pass show it", "PACKSTONE_FROM_S3_ACCESS_KEY": "theirs",
	}.other()
	for name := range got {
		if len(name) > len(otherPrefix) && name[:len(otherPrefix)] == otherPrefix {
			delete(got, name)
		}
	}
	want := Env{
		"PACKSTONE_REPOSITORY_FILE": "there", "PACKSTONE_IDENTITY_COMMAND": "pass show it", "PACKSTONE_S3_ACCESS_KEY": "theirs",
		"PACKSTONE_WRITER_FILE": "w", "HOME": "/h",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestNoProgramThatIsStartedSeesTheKeysOfTheOtherRepository(t *testing.T) {
	if left := (Env{"PACKSTONE_FROM_IDENTITY": "secret", "PACKSTONE_FROM_S3_SECRET_KEY": "secret"}).ForPrograms(); len(left) > 0 {
		t.Errorf("it sees %v", left)
	}
}
