package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packstone/packstone/cmd/internal/machine"
)

// BenchmarkProgram runs the verbs as a user does: on 1,000 small files of text and 48 MiB of which
// half does not compress.
func BenchmarkProgram(b *testing.B) {
	p := newBenchmark(b)
	repository := 0
	newRepository := func() {
		repository++
		p.env[0] = fmt.Sprintf("PACKSTONE_REPOSITORY=%s/repository%d", p.dir, repository)
		p.run("init")
	}
	b.Run("first backup", func(b *testing.B) {
		p.each(b, newRepository, "backup", p.source)
	})
	b.Run("unchanged", func(b *testing.B) { p.each(b, func() {}, "backup", p.source) })
	b.Run("restore", func(b *testing.B) {
		to := filepath.Join(p.dir, "restored")
		p.each(b, func() { os.RemoveAll(to) }, "restore", "latest", "--target", to)
	})
	b.Run("check", func(b *testing.B) { p.each(b, func() {}, "check", "--read-data") })
}

// programBenchmark is a source and an environment to run the program in.
type programBenchmark struct {
	b           *testing.B
	dir, source string
	size        int64
	env         []string // the first names the repository
}

func newBenchmark(b *testing.B) *programBenchmark {
	dir := b.TempDir()
	p := &programBenchmark{b: b, dir: dir, source: filepath.Join(dir, "source"), env: []string{"", "HOME=" + dir}}
	r, noise := rand.NewChaCha8([32]byte{7}), make([]byte, 24<<20)
	r.Read(noise)
	p.write("large", append(noise, bytes.Repeat(fmt.Appendf(nil, "%x and so on, ", noise[:50_000]), 240)...))
	for i := range 1000 {
		p.write(fmt.Sprintf("small/%02d/%d.txt", i%50, i), []byte(strings.Repeat(fmt.Sprintf("line of file %d\n", i), 50+i%100)))
	}
	return p
}

func (p *programBenchmark) write(name string, content []byte) {
	file := filepath.Join(p.source, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		p.b.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		p.b.Fatal(err)
	}
	p.size += int64(len(content))
}

func (p *programBenchmark) run(args ...string) {
	p.b.Helper()
	var out bytes.Buffer
	code := run(p.b.Context(), process{args: args, env: machine.NewEnv(p.env), stdin: strings.NewReader(""), stdout: &out, stderr: &out})
	if code != 0 {
		p.b.Fatalf("%v ends with %d\n%s", args, code, out.Bytes())
	}
}

// each measures a verb; prepare comes before each run and is not measured.
func (p *programBenchmark) each(b *testing.B, prepare func(), args ...string) {
	b.SetBytes(p.size)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		prepare()
		b.StartTimer()
		p.run(args...)
	}
}
