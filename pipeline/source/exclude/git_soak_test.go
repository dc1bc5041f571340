//go:build soak

package exclude

import "testing"

func TestSoakGeneratedPatternsMatchWhatGitMatches(t *testing.T) { compareWithGit(t, 1<<32, 200_000) }
