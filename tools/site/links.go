package main

import (
	"errors"
	"fmt"
	"html/template"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// place is where a link leads.
type place struct {
	address string // as the website says it
	file    string // a file or directory of the checkout that the website needs for it
}

// check follows all links of all pages.
func (s *site) check() error {
	var problems []error
	for _, p := range s.pages {
		for _, l := range p.links {
			to, err := s.follow(p, l)
			if err != nil {
				problems = append(problems, fmt.Errorf("%s: the link to %s %w", p.source, l.target, err))
				continue
			}
			if to.file != "" && !slices.Contains(p.files, to.file) {
				p.files = append(p.files, to.file)
			}
		}
	}
	return errors.Join(problems...)
}

// follow finds where a link of a page leads.
func (s *site) follow(from *page, l link) (place, error) {
	if strings.HasPrefix(l.target, "https://") || strings.HasPrefix(l.target, "http://") {
		if l.image {
			return place{}, errors.New("is an image from outside")
		}
		return place{address: l.target}, nil
	}
	file, fragment, _ := strings.Cut(l.target, "#")
	target := from
	if file != "" {
		source := path.Join(path.Dir(from.source), file)
		if target = s.page(source); target == nil {
			return s.other(source, fragment)
		}
	}
	if fragment == "" {
		return place{address: target.File}, nil
	}
	if !slices.ContainsFunc(target.Headings, func(h heading) bool { return h.ID == fragment }) {
		return place{}, fmt.Errorf("names no heading of %s", target.source)
	}
	if target == from {
		return place{address: "#" + fragment}, nil
	}
	return place{address: target.File + "#" + fragment}, nil
}

// other is a file of the checkout that is no page: an example, a picture, a schema.
func (s *site) other(source, fragment string) (place, error) {
	info, err := os.Stat(filepath.Join(s.root, source))
	switch {
	case err != nil:
		return place{}, errors.New("leads nowhere")
	case fragment != "":
		return place{}, errors.New("names a place in a file that is no page")
	case strings.HasPrefix(source, ".."):
		return place{}, errors.New("leads out of the project")
	case info.IsDir():
		return place{address: published(source) + "/index.html", file: source}, nil
	}
	return place{address: published(source), file: source}, nil
}

var (
	linkMark  = regexp.MustCompile("\x02([0-9]+)\x03\"")
	imageMark = regexp.MustCompile("\x02([0-9]+)\x03([^\x04]*)\x04")
)

// link puts addresses where the marks of links are.
func (s *site) link(p *page) template.HTML {
	text := linkMark.ReplaceAllStringFunc(string(p.HTML), func(found string) string {
		to := s.marked(p, linkMark.FindStringSubmatch(found)[1])
		return template.HTMLEscapeString(to.address) + `"`
	})
	text = imageMark.ReplaceAllStringFunc(text, func(found string) string {
		parts := imageMark.FindStringSubmatch(found)
		return s.picture(p, s.marked(p, parts[1]), parts[2])
	})
	return template.HTML(text)
}

func (s *site) marked(p *page, number string) place {
	i, _ := strconv.Atoi(number)
	to, _ := s.follow(p, p.links[i]) // check has followed it before
	return to
}

// picture shows an image, and where there is one its dark sibling.
func (s *site) picture(p *page, to place, description string) string {
	extension := path.Ext(to.file)
	dark := strings.TrimSuffix(to.file, extension) + "-dark" + extension
	img := fmt.Sprintf(`<img src="%s" alt="%s">`, template.HTMLEscapeString(to.address), description)
	if _, err := os.Stat(filepath.Join(s.root, dark)); err != nil {
		return img
	}
	p.files = append(p.files, dark)
	return fmt.Sprintf(`<picture><source srcset="%s" media="(prefers-color-scheme: dark)">%s</picture>`, template.HTMLEscapeString(published(dark)), img)
}
