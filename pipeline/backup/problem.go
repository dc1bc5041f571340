package backup

import "github.com/packstone/packstone/catalog"

// shownProblems is how many problems a snapshot keeps in its record; all are reported while they
// happen.
const shownProblems = 100

// noteProblem counts something missed.
func noteProblem(c *catalog.Coverage, path string, err error) {
	c.Missed++
	if len(c.Problems) < shownProblems {
		c.Problems = append(c.Problems, catalog.Problem{Path: path, Error: err.Error()})
	}
}
