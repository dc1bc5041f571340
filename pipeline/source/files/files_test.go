package files

import "github.com/packstone/packstone/catalog/entry"

// collector keeps what a walk visits.
type collector struct {
	entries  []*entry.Entry
	problems map[string]error
}

func (c *collector) Visit(e *entry.Entry) error {
	c.entries = append(c.entries, e)
	return nil
}

func (c *collector) Problem(path string, err error) {
	if c.problems == nil {
		c.problems = make(map[string]error)
	}
	c.problems[path] = err
}

func (c *collector) files() []*entry.Entry {
	var files []*entry.Entry
	for _, e := range c.entries {
		if e.Type == entry.File {
			files = append(files, e)
		}
	}
	return files
}

func (c *collector) paths() []string {
	var paths []string
	for _, e := range c.entries {
		paths = append(paths, e.Path)
	}
	return paths
}
