package main

import (
	"bytes"
	"fmt"
	"html/template"
	"regexp"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// markdown knows tables; it makes no links of addresses in sentences, which are examples.
var markdown = goldmark.New(goldmark.WithExtensions(extension.Table),
	goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(blocks{}, 1))))

// link is a link or an image of a page. Before a page is written, marks in its HTML that stand for
// targets are replaced.
type link struct {
	target string // as it stands in the page
	image  bool
}

// list is a list of the first page, with the sentence before it.
type list struct {
	title   string
	sources []string
}

// mark stands for the target of the link with this number.
func mark(i int) string { return fmt.Sprintf("\x02%d\x03", i) }

func (p *page) parse(source []byte) error {
	doc := markdown.Parser().Parse(text.NewReader(source))
	seen := map[string]int{}
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			p.visit(n, source, seen)
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return err
	}
	if p.Title == "" {
		return fmt.Errorf("it has no heading of the first level")
	}
	var out bytes.Buffer
	if err := markdown.Renderer().Render(&out, source, doc); err != nil {
		return err
	}
	p.HTML = template.HTML(out.String())
	return nil
}

func (p *page) visit(n ast.Node, source []byte, seen map[string]int) {
	switch n := n.(type) {
	case *ast.Heading:
		h := heading{n.Level, anchor(plain(n, source), seen), plain(n, source)}
		n.SetAttributeString("id", []byte(h.ID))
		p.Headings = append(p.Headings, h)
		if n.Level == 1 && p.Title == "" {
			p.Title = h.Text
		}
	case *ast.Link:
		p.links = append(p.links, link{target: string(n.Destination)})
		n.Destination = []byte(mark(len(p.links) - 1))
	case *ast.Image:
		p.links = append(p.links, link{target: string(n.Destination), image: true})
		n.Destination = []byte(mark(len(p.links) - 1))
	}
}

// anchor names a heading as GitHub does, so that links work in both places.
func anchor(text string, seen map[string]int) string {
	id := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		case r == ' ':
			return '-'
		}
		return -1
	}, text)
	seen[id]++
	if n := seen[id]; n > 1 {
		return fmt.Sprintf("%s-%d", id, n-1)
	}
	return id
}

// plain is the text of a node without its markup.
func plain(n ast.Node, source []byte) string {
	var out strings.Builder
	ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			out.Write(t.Segment.Value(source))
			if t.SoftLineBreak() {
				out.WriteByte(' ')
			}
		}
		return ast.WalkContinue, nil
	})
	return out.String()
}

// lists are the lists of links below a heading of the second level. It reads the HTML, where each
// list follows the paragraph that introduces it.
func (p *page) lists(below string) (all []list) {
	_, section, _ := strings.Cut(string(p.HTML), ">"+below+"</h2>")
	section, _, _ = strings.Cut(section, "<h2")
	for _, found := range listOfLinks.FindAllStringSubmatch(section, -1) {
		title, _, _ := strings.Cut(strings.TrimRight(found[1], ":"), ",")
		l := list{title: title}
		for _, item := range firstLinks.FindAllStringSubmatch(found[2], -1) {
			var i int
			fmt.Sscanf(item[1], "\x02%d\x03", &i)
			l.sources = append(l.sources, p.links[i].target)
		}
		all = append(all, l)
	}
	return all
}

var (
	listOfLinks = regexp.MustCompile(`(?s)<p>([^<]*):</p>\s*<ul>(.*?)</ul>`)
	firstLinks  = regexp.MustCompile("<a href=\"(\x02[0-9]+\x03)\">")
)

// blocks renders what the ordinary renderer would make hard to read, or leave out with a remark.
type blocks struct{}

func (b blocks) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindCodeBlock, b.code)
	r.Register(ast.KindFencedCodeBlock, b.code)
	r.Register(ast.KindCodeSpan, b.word)
	r.Register(ast.KindHTMLBlock, b.comment)
	r.Register(ast.KindRawHTML, b.inline)
	r.Register(ast.KindLink, b.link)
	r.Register(ast.KindImage, b.image)
	r.Register(extast.KindTable, b.table)
}

// comment leaves comments out; other HTML would not look the same everywhere.
func (blocks) comment(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	block := n.(*ast.HTMLBlock)
	if entering && block.HTMLBlockType != ast.HTMLBlockType2 {
		return ast.WalkStop, fmt.Errorf("HTML in a page: %s", block.Lines().Value(source))
	}
	return ast.WalkSkipChildren, nil
}

func (blocks) inline(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	return ast.WalkStop, fmt.Errorf("HTML in a page: %s", n.(*ast.RawHTML).Segments.Value(source))
}

// remark is a comment of shells and YAML at the end of a line, or a line of its own.
var remark = regexp.MustCompile(`(?m)(^|\s)(# .*)$`)

func (blocks) code(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	var out bytes.Buffer
	for i := range n.Lines().Len() {
		line := n.Lines().At(i)
		out.Write(line.Value(source))
	}
	escaped := template.HTMLEscapeString(out.String())
	w.WriteString(`<pre tabindex="0"><code>` + remark.ReplaceAllString(escaped, `$1<i>$2</i>`) + "</code></pre>\n")
	return ast.WalkContinue, nil
}

// word is code in a sentence. A short one, such as a flag, stays in one line.
func (blocks) word(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		text, class := plain(n, source), ""
		if len(text) <= 24 {
			class = ` class="short"`
		}
		fmt.Fprintf(w, "<code%s>%s</code>", class, template.HTMLEscapeString(text))
	}
	return ast.WalkSkipChildren, nil
}

func (blocks) link(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		fmt.Fprintf(w, `<a href="%s">`, n.(*ast.Link).Destination)
	} else {
		w.WriteString("</a>")
	}
	return ast.WalkContinue, nil
}

func (blocks) image(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		w.WriteString(string(n.(*ast.Image).Destination))
		w.Write(util.EscapeHTML([]byte(plain(n, source))))
		w.WriteByte('\x04')
	}
	return ast.WalkSkipChildren, nil
}

// table lets a wide one scroll, so that the page does not.
func (blocks) table(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		w.WriteString("<div class=\"wide\" tabindex=\"0\"><table>\n")
	} else {
		w.WriteString("</table></div>\n")
	}
	return ast.WalkContinue, nil
}
