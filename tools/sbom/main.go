// Command sbom prints what a Go program is made of, as a CycloneDX 1.6 document: its modules with
// their versions and checksums, the standard library, and the program's own hash. It reads the
// program itself, so it lists what was linked and nothing else, and its output has no time and no
// random number: one program has one document.
//
//	sbom PROGRAM VERSION
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"runtime/debug"
	"strings"
)

type document struct {
	Format       string       `json:"bomFormat"`
	Spec         string       `json:"specVersion"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type    string `json:"type"`
	Ref     string `json:"bom-ref"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl"`
	Hashes  []hash `json:"hashes,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type dependency struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn"`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sbom PROGRAM VERSION")
		os.Exit(2)
	}
	if err := write(os.Stdout, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func write(w io.Writer, file, version string) error {
	program, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(describe(info, version, sha256.Sum256(program)))
}

// describe lists the modules of a program. All are named as what the program depends on: which of
// them needs which other one is not recorded in it.
func describe(info *debug.BuildInfo, version string, sum [32]byte) document {
	self := newComponent("application", info.Main.Path, version)
	self.Name = path.Base(info.Path)
	self.Hashes = []hash{{"SHA-256", hex.EncodeToString(sum[:])}}
	components := []component{newComponent("library", "std", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		c := newComponent("library", module.Path, module.Version)
		c.Hashes = checksum(module.Sum)
		components = append(components, c)
	}
	all := dependency{Ref: self.Ref}
	for _, c := range components {
		all.On = append(all.On, c.Ref)
	}
	return document{"CycloneDX", "1.6", 1, metadata{self}, components, []dependency{all}}
}

func newComponent(kind, module, version string) component {
	purl := "pkg:golang/" + module + "@" + strings.ReplaceAll(version, "+", "%2B") + "?type=module"
	return component{Type: kind, Ref: purl, Name: module, Version: version, PURL: purl}
}

// checksum is that of go.sum: the SHA-256 of a list of the module's files and their SHA-256.
func checksum(sum string) []hash {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sum, "h1:"))
	if err != nil || len(raw) != sha256.Size {
		return nil
	}
	return []hash{{"SHA-256", hex.EncodeToString(raw)}}
}
