package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTheDocumentationIsAWebsiteThatAsksForNothingOutside(t *testing.T) {
	out := filepath.Join(t.TempDir(), "site")
	n, err := build("../..", out)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(out, "*.html"))
	if err != nil || len(pages) != n || n < 40 {
		t.Fatalf("%d pages, and %d files of HTML, %v", n, len(pages), err)
	}
	needed := regexp.MustCompile(`(?:src|srcset|href)="([^"#]*)[^"]*"`)
	for _, file := range pages {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(string(text), "\x02\x03\x04") || strings.Contains(string(text), "<script") {
			t.Errorf("%s has a script, or a mark that no address has replaced", file)
		}
		for _, found := range needed.FindAllStringSubmatch(string(text), -1) {
			address := found[1]
			if address == "" || strings.HasPrefix(address, "data:") || strings.HasPrefix(found[0], "href=\"http") {
				continue
			}
			if _, err := os.Stat(filepath.Join(out, address)); err != nil {
				t.Errorf("%s: %s: %v", file, address, err)
			}
		}
	}
}

// checkout makes one of a few files.
func checkout(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestWhatIsWrongWithThePagesIsAnError(t *testing.T) {
	const readme = "# p\n\n## Documentation\n\nPages:\n\n- [docs/a.md](docs/a.md): a\n"
	for name, c := range map[string]struct{ readme, a, want string }{
		"a link to no file":            {readme, "# a\n\n[b](b.md)\n", "leads nowhere"},
		"a link to no heading":         {readme, "# a\n\n[b](#b)\n", "names no heading of docs/a.md"},
		"a link out of the project":    {readme, "# a\n\n[b](../..)\n", "leads out of the project"},
		"an image from outside":        {readme, "# a\n\n![b](https://example.org/b.png)\n", "is an image from outside"},
		"a page without a heading":     {readme, "a\n", "no heading of the first level"},
		"a page that nobody lists":     {"# p\n\n## Documentation\n\nPages:\n\n- [x](x.md)\n", "# a\n", "does not list docs/a.md"},
		"HTML":                         {readme, "# a\n\n<script>alert(1)</script>\n", "HTML in a page"},
		"no list below documentation":  {"# p\n\n## Documentation\n", "# a\n", "lists no pages"},
		"HTML in the midst of a line":  {readme, "# a\n\nx <b>y</b>\n", "HTML in a page"},
		"a place in a file of another": {readme, "# a\n\n[x](../x.txt#b)\n", "no page"},
	} {
		t.Run(name, func(t *testing.T) {
			root := checkout(t, map[string]string{"README.md": c.readme, "docs/a.md": c.a, "x.md": "# x\n", "x.txt": "x"})
			_, err := build(root, filepath.Join(t.TempDir(), "site"))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestCodeIsShownAsItIs(t *testing.T) {
	root := checkout(t, map[string]string{"README.md": "# p\n\n<!-- not run: x -->\n\n    echo '<b>' # a remark & more\n\n## Documentation\n\nPages:\n\n- [a](docs/a.md)\n",
		"docs/a.md": "# a\n\n`a<b> --flag`\n\n## Two words, and `code`\n\n[here](#two-words-and-code)\n"})
	out := filepath.Join(t.TempDir(), "site")
	if _, err := build(root, out); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"index.html": "echo &#39;&lt;b&gt;&#39; <i># a remark &amp; more</i>", "a.html": `<code class="short">a&lt;b&gt; --flag</code>`} {
		text, err := os.ReadFile(filepath.Join(out, file))
		if err != nil || !strings.Contains(string(text), want) || strings.Contains(string(text), "not run") {
			t.Errorf("%s lacks %s, or shows a comment: %v\n%s", file, want, err, text)
		}
	}
}
