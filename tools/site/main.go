// Command site makes a website of the documentation: plain HTML for any static server, readable
// without script, which asks for nothing outside itself. README.md becomes its first page and says,
// in its section "Documentation", which pages there are, in which groups and order. A link that
// leads nowhere is an error, and so is a page that README.md does not list.
//
//	site -root .. -out ../site
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	root := flag.String("root", ".", "the checkout, a `directory`")
	out := flag.String("out", "site", "where to put the website, a `directory` that is emptied first")
	flag.Parse()
	n, err := build(*root, *out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		os.Exit(1)
	}
	fmt.Printf("site: %d pages in %s\n", n, *out)
}
