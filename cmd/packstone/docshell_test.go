package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// splitShell divides a line of the shell into simple commands, and those into words without their
// quotes. What stands in $(…) comes as commands of its own. Redirections are left out.
func splitShell(text string) [][]string {
	s := &shellSplitter{rest: text}
	if end := hereEnd(text); end != "" {
		s.rest, _, _ = strings.Cut(text, "\n")
	}
	s.split()
	return s.commands
}

type shellSplitter struct {
	rest     string
	commands [][]string
	words    []string
	word     strings.Builder
	open     bool // a word has begun, be it empty
	skip     bool // the next word is the file of a redirection
}

func (s *shellSplitter) split() {
	for s.rest != "" {
		c := s.rest[0]
		s.rest = s.rest[1:]
		switch {
		case c == '\\' && s.rest != "":
			s.add(strings.TrimPrefix(s.rest[:1], "\n"))
			s.rest = s.rest[1:]
		case c == '\'' || c == '"':
			s.quoted(c)
		case strings.IndexByte("$<>", c) >= 0 && strings.HasPrefix(s.rest, "("):
			s.inner()
		case c == '#' && !s.open:
			_, after, _ := strings.Cut(s.rest, "\n")
			s.rest = after
			s.endCommand()
		case c == ' ' || c == '\t':
			s.endWord()
		case c == '<' || c == '>':
			s.redirect()
		case strings.IndexByte(";&|\n(){}", c) >= 0 && !(s.open && strings.IndexByte("(){}", c) >= 0):
			s.endCommand()
		default:
			s.add(string([]byte{c}))
		}
	}
	s.endCommand()
}

func (s *shellSplitter) add(text string) {
	s.word.WriteString(text)
	s.open = s.open || text != ""
}

// quoted takes a word in quotes; within double ones there may be commands.
func (s *shellSplitter) quoted(quote byte) {
	s.open = true
	for s.rest != "" && s.rest[0] != quote {
		if quote == '"' && strings.HasPrefix(s.rest, "$(") {
			s.rest = s.rest[1:]
			s.inner()
			continue
		}
		s.add(s.rest[:1])
		s.rest = s.rest[1:]
	}
	s.rest = strings.TrimPrefix(s.rest, string(quote))
}

// inner takes what stands between ( and ).
func (s *shellSplitter) inner() {
	depth, end := 0, len(s.rest)
	for i, c := range s.rest {
		if c == '(' {
			depth++
		} else if c == ')' {
			depth--
		}
		if depth == 0 {
			end = i
			break
		}
	}
	s.commands = append(s.commands, splitShell(s.rest[1:end])...)
	s.rest = s.rest[min(end+1, len(s.rest)):]
	s.add("$()")
}

func (s *shellSplitter) redirect() {
	if word := s.word.String(); strings.Trim(word, "0123456789") == "" {
		s.word.Reset()
		s.open = false
	}
	s.endWord()
	s.rest = strings.TrimLeft(s.rest, "<>&")
	s.skip = true
}

func (s *shellSplitter) endWord() {
	if s.open && !s.skip {
		s.words = append(s.words, s.word.String())
	}
	s.skip = s.skip && !s.open
	s.word.Reset()
	s.open = false
}

func (s *shellSplitter) endCommand() {
	s.endWord()
	if len(s.words) > 0 {
		s.commands = append(s.commands, s.words)
	}
	s.words, s.skip = nil, false
}

var assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

// leading are words that stand before a command.
var leading = strings.Fields("sudo exec env time nice if then else elif while until do !")

// strip leaves out what stands before the command itself.
func strip(words []string) []string {
	for len(words) > 0 && (assignment.MatchString(words[0]) || slices.Contains(leading, words[0])) {
		sudo := words[0] == "sudo"
		words = words[1:]
		for sudo && len(words) > 0 && strings.HasPrefix(words[0], "-") {
			words = words[min(2, len(words)):]
		}
	}
	if len(words) > 2 && words[0] == "go" && words[1] == "run" && isPackstone(words[2]) {
		return words[2:]
	}
	return words
}

func commandWord(words []string) string {
	if words = strip(words); len(words) > 0 {
		return words[0]
	}
	return ""
}

func isPackstone(word string) bool {
	return word == "packstone" || strings.HasSuffix(word, "/packstone")
}

// packstoneCalls finds the arguments of each call of packstone in a line of the shell: as the
// command itself, behind another program such as docker, and within what sh -c is to run.
func packstoneCalls(text string) (calls [][]string) {
	for _, words := range splitShell(text) {
		words = strip(words)
		for i, word := range words {
			switch {
			case isPackstone(word) && (i == 0 || i+1 < len(words) && isVerb(words[i+1])):
				calls = append(calls, words[i+1:])
				words = nil
			case i > 0 && words[i-1] == "-c" && strings.Contains(word, " "):
				calls = append(calls, packstoneCalls(word)...)
			}
			if words == nil {
				break
			}
		}
	}
	return calls
}

func TestCallsOfPackstoneAreFound(t *testing.T) {
	for text, want := range map[string]string{
		"packstone check -n":                                    "[[check -n]]",
		"sudo -u backup packstone ls":                           "[[ls]]",
		"A=1 B='x y' ./packstone ls # packstone no":             "[[ls]]",
		"x=$(packstone snapshots --json | jq .) && echo":        "[[snapshots --json]]",
		"packstone prune --plan a.json && packstone prune":      "[[prune --plan a.json] [prune]]",
		"docker compose exec packstone packstone status":        "[[status]]",
		"sh -c 'packstone check; true' >out 2>&1":               "[[check]]",
		"systemctl reload packstone":                            "[]",
		"set -a; . /etc/packstone/environment; packstone run":   "[[run]]",
		"packstone restore x \\\n  --to-command -- sh -c 'a'":   "[[restore x --to-command -- sh -c a]]",
		"echo \"$(packstone version)\" | tee -a log":            "[[version]]",
		"cat >a <<END\npackstone x\nEND":                        "[]",
		"go run ./cmd/packstone backup --init .":                "[[backup --init .]]",
		"source <(packstone completion bash)":                   "[[completion bash]]",
		"until packstone status; do sleep 1; done; packstone a": "[[status] [a]]",
	} {
		if got := fmt.Sprint(packstoneCalls(text)); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}
