package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed style.css
	styleCSS []byte

	layout = template.Must(template.New("page").Parse(pageHTML))
)

// page is a file of Markdown and the HTML that becomes of it.
type page struct {
	source   string // path in the checkout
	File     string // name in the website
	Title    string
	HTML     template.HTML
	Headings []heading
	links    []link
	files    []string // what it links to beside pages, as paths in the checkout
}

// heading is a place in a page that a link can name.
type heading struct {
	Level int
	ID    string
	Text  string
}

// site is the whole website.
type site struct {
	root   string
	pages  []*page
	groups []group
}

// group is a part of the navigation.
type group struct {
	Title string
	Pages []*page
}

// build makes the website of a checkout, and returns how many pages it has.
func build(root, out string) (int, error) {
	s, err := read(root)
	if err != nil {
		return 0, err
	}
	if err := s.check(); err != nil {
		return 0, err
	}
	if err := os.RemoveAll(out); err != nil {
		return 0, err
	}
	return len(s.pages), s.write(out)
}

// read takes in all pages, in the order of the navigation.
func read(root string) (*site, error) {
	s := &site{root: root}
	first, err := s.add("README.md", "index.html")
	if err != nil {
		return nil, err
	}
	if s.groups, err = s.readGroups(first); err != nil {
		return nil, err
	}
	all, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		return nil, err
	}
	for _, file := range all {
		source := "docs/" + filepath.Base(file)
		if s.page(source) == nil {
			return nil, fmt.Errorf("README.md does not list %s", source)
		}
	}
	return s, nil
}

func (s *site) add(source, file string) (*page, error) {
	text, err := os.ReadFile(filepath.Join(s.root, source))
	if err != nil {
		return nil, err
	}
	p := &page{source: source, File: file}
	if err := p.parse(text); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	s.pages = append(s.pages, p)
	return p, nil
}

// readGroups reads the pages that the first one lists below its heading "Documentation".
func (s *site) readGroups(first *page) (groups []group, err error) {
	for _, list := range first.lists("Documentation") {
		g := group{Title: list.title}
		for _, source := range list.sources {
			p, err := s.add(source, fileName(source))
			if err != nil {
				return nil, err
			}
			g.Pages = append(g.Pages, p)
		}
		groups = append(groups, g)
	}
	if len(groups) == 0 {
		return nil, errors.New(`README.md lists no pages below "Documentation"`)
	}
	return groups, nil
}

// fileName is the name of a page in the website, where all pages lie side by side.
func fileName(source string) string {
	return strings.ToLower(strings.TrimSuffix(path.Base(source), ".md")) + ".html"
}

func (s *site) page(source string) *page {
	i := slices.IndexFunc(s.pages, func(p *page) bool { return p.source == source })
	if i < 0 {
		return nil
	}
	return s.pages[i]
}

// view is what the layout shows.
type view struct {
	*page
	Groups         []group
	Previous, Next *page
}

func (s *site) write(out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for i, p := range s.pages {
		v := view{page: p, Groups: s.groups}
		if i > 0 {
			v.Previous = s.pages[i-1]
		}
		if i+1 < len(s.pages) {
			v.Next = s.pages[i+1]
		}
		p.HTML = s.link(p)
		var text bytes.Buffer
		if err := layout.Execute(&text, v); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, p.File), text.Bytes(), 0o644); err != nil {
			return err
		}
		for _, file := range p.files {
			if err := copyTree(filepath.Join(s.root, file), filepath.Join(out, published(file))); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(filepath.Join(out, "style.css"), styleCSS, 0o644)
}

// published is where a file of the checkout lies in the website.
func published(file string) string { return strings.TrimPrefix(file, "docs/") }

// copyTree copies a file, or a directory with all that is in it.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(file, from))
		if d.IsDir() {
			return listing(file, target)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o644)
	})
}

var listingHTML = template.Must(template.New("listing").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}}</title>
<h1>{{.Title}}</h1><ul>{{range .Names}}<li><a href="{{.}}">{{.}}</a></li>{{end}}</ul>
`))

// listing makes a directory with a page that names what is in it: not every server lists one.
func listing(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() {
			name += "/"
		}
		names = append(names, name)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	var text bytes.Buffer
	if err := listingHTML.Execute(&text, map[string]any{"Title": filepath.Base(from), "Names": names}); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "index.html"), text.Bytes(), 0o644)
}
