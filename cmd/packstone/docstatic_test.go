package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/packstone/packstone/cmd/internal/help"
)

// TestThePagesNameOnlyWhatExists compares every command and every block of settings of every page,
// whether it is run by TestPages or not, with the verbs, flags and settings of the program.
func TestThePagesNameOnlyWhatExists(t *testing.T) {
	commands, spans, settings := 0, 0, 0
	for _, page := range docPages(t) {
		for _, block := range page.blocks {
			for _, command := range block.commands() {
				commands++
				if err := checkCommand(command.text); err != nil {
					t.Errorf("%s:%d: %v", page.name, command.line, err)
				}
			}
			for i, line := range block.lines {
				if err := checkServiceLine(block.kind, line); err != nil {
					t.Errorf("%s:%d: %v", page.name, block.line+i, err)
				}
			}
			if block.kind == "yaml" {
				settings++
				if err := checkSettings(strings.Join(block.lines, "\n") + "\n"); err != nil {
					t.Errorf("%s:%d: %v", page.name, block.line, err)
				}
			}
		}
		for _, span := range page.prose {
			if settingsSpan.MatchString(span.text) && !isOpen(span.text) {
				settings++
				if err := checkSettings(span.text); err != nil {
					t.Errorf("%s:%d: `%s`: %v", page.name, span.line, span.text, err)
				}
			}
			for _, call := range callsWithin(page, span) {
				spans++
				if _, err := checkNames(call); err != nil {
					t.Errorf("%s:%d: `%s`: %v", page.name, span.line, span.text, err)
				}
			}
		}
	}
	t.Logf("%d commands, %d calls within sentences and %d pieces of settings", commands, spans, settings)
	if commands < 100 || spans < 100 || settings < 15 {
		t.Error("the pages have more than that: the reader does not see them")
	}
}

// settingsSpan is a setting at the top of the file, with its value.
var settingsSpan = regexp.MustCompile(`^[a-z_]+: [{\[]`)

var flagWord = regexp.MustCompile(`^(--[a-z].*|-[A-Za-z])$`)

// callsWithin finds calls of packstone in a sentence or a table, also without the program's name,
// as in "forget --prune". The first column of pages for those who know another program is about that.
func callsWithin(page docPage, span docSpan) [][]string {
	words := strings.Fields(span.text)
	if !isVerb(words[0]) || !slices.ContainsFunc(words, flagWord.MatchString) {
		return packstoneCalls(span.text)
	}
	if strings.HasPrefix(page.name, "docs/for-") && span.cell == 1 {
		return nil
	}
	return [][]string{words}
}

// programs are what pages call beside packstone. A block that is indented and begins with another
// word is most likely no command: a listing, say, stands in a fence called text.
var programs = strings.Fields("age age-keygen apt-get aws b2 cat cd chgrp chmod chown cp createdb curl dnf docker dropdb echo export find git go gpg grep impdp install jq kubectl ln ls make mariadb " +
	"mariadb-dump mkdir mount mv openssl pg_restore pg_dump psql python3 rclone redis-cli restic rm rsync sed set sh sha256sum sqlite3 ssh ssh-keygen sudo systemctl systemd-creds tar tee test timeout trap " +
	"touch umount unset useradd versitygw zstd . source .bin/measure .bin/benchstat airflow superset mlflow")

// checkCommand tells what is wrong with a command of a page.
func checkCommand(text string) error {
	parts := splitShell(text)
	if len(parts) == 0 {
		return fmt.Errorf("%q is no command", text)
	}
	for _, words := range parts {
		word := commandWord(words)
		if word != "" && !isPackstone(word) && !slices.Contains(programs, word) {
			return fmt.Errorf("%q begins with %s, which no other page calls: a block that holds no commands stands in a fence called text", text, word)
		}
		if word == "make" {
			if err := checkMake(words[1:]); err != nil {
				return err
			}
		}
	}
	for _, call := range packstoneCalls(text) {
		if err := checkCall(call); err != nil {
			return fmt.Errorf("%q: %w", text, err)
		}
	}
	return nil
}

// checkMake tells whether the Makefile has targets, and uses variables that are given.
func checkMake(targets []string) error {
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		return err
	}
	for _, target := range targets {
		if variable, _, ok := strings.Cut(target, "="); ok {
			if !strings.Contains(string(text), "$("+variable+")") {
				return fmt.Errorf("the Makefile does not use %s", variable)
			}
		} else if !strings.Contains("\n"+string(text), "\n"+target+":") {
			return fmt.Errorf("the Makefile has no target %s", target)
		}
	}
	return nil
}

var (
	cronTime = regexp.MustCompile(`^(@[a-z]+|\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(root\s+)?`)
	unitExec = regexp.MustCompile(`^Exec[A-Z][A-Za-z]*=[-@:+!|]*`)
)

// checkServiceLine tells what is wrong with a line of a crontab, of a unit of systemd, or of a
// script.
func checkServiceLine(kind, line string) error {
	switch kind {
	case "crontab":
		line = cronTime.ReplaceAllString(line, "")
	case "ini":
		prefix := unitExec.FindString(line)
		if prefix == "" {
			return nil
		}
		line = line[len(prefix):]
	case "script":
	default:
		return nil
	}
	for _, call := range packstoneCalls(line) {
		if err := checkCall(call); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
	}
	return nil
}

func isVerb(word string) bool {
	found, _, err := newRoot(newApp(process{})).Find([]string{word})
	return err == nil && found.HasParent()
}

// checkCall tells what is wrong with a call: its names, and, unless something is left out of it,
// its values too.
func checkCall(args []string) error {
	cmd, err := checkNames(args)
	if err != nil || slices.ContainsFunc(args, isOpen) {
		return err
	}
	_, rest, err := cmd.Root().Find(args)
	if err != nil {
		return err
	}
	switch err := cmd.ParseFlags(rest); {
	case errors.Is(err, pflag.ErrHelp):
		return nil
	case err != nil:
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// isOpen tells whether a word of a page stands for others.
func isOpen(word string) bool { return strings.Contains(word, "…") || word == "VERB" }

// checkNames tells whether a call names a verb that there is, and flags that this verb has.
func checkNames(args []string) (*cobra.Command, error) {
	root := newRoot(newApp(process{}))
	root.InitDefaultHelpCmd()
	cmd, rest, err := root.Find(args)
	if err != nil {
		return nil, err
	}
	if positional := firstPositional(rest); cmd.HasSubCommands() && positional != "" && !isOpen(positional) {
		return nil, fmt.Errorf("%s has no verb %s", cmd.CommandPath(), positional)
	}
	for _, arg := range rest {
		if arg == "--" {
			break
		}
		for _, name := range flagNames(cmd, arg) {
			if err := checkFlag(cmd, name); err != nil {
				return nil, err
			}
		}
	}
	return cmd, nil
}

func firstPositional(args []string) string {
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return arg
		}
	}
	return ""
}

// flagNames are the long names of the flags in a word; a letter that is none stands for itself.
func flagNames(cmd *cobra.Command, arg string) (names []string) {
	if long, ok := strings.CutPrefix(arg, "--"); ok {
		name, _, _ := strings.Cut(long, "=")
		return []string{name}
	}
	letters, ok := strings.CutPrefix(arg, "-")
	if !ok {
		return nil
	}
	for i := range len(letters) {
		flag := flagsOf(cmd).ShorthandLookup(letters[i : i+1])
		if flag == nil {
			return append(names, letters[i:i+1])
		}
		names = append(names, flag.Name)
		if flag.NoOptDefVal == "" {
			break // the rest is its value
		}
	}
	return names
}

// flagsOf are all flags that a verb parses, its own and the global ones.
func flagsOf(cmd *cobra.Command) *pflag.FlagSet {
	all := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	all.AddFlagSet(cmd.LocalFlags())
	all.AddFlagSet(cmd.Root().PersistentFlags())
	return all
}

func checkFlag(cmd *cobra.Command, name string) error {
	switch {
	case isOpen(name) || name == "help":
		return nil
	case flagsOf(cmd).Lookup(name) == nil:
		return fmt.Errorf("%s has no flag %s", cmd.CommandPath(), name)
	case help.Own(cmd).Lookup(name) == nil && help.Global(cmd).Lookup(name) == nil:
		return fmt.Errorf("%s does not use the flag %s", cmd.CommandPath(), name)
	}
	return nil
}

func TestWhatAPageSaysWronglyIsFound(t *testing.T) {
	for _, wrong := range []string{"packstone chek", "packstone check --no-such", "packstone check -Z", "packstone key add-all", "packstone version --at 2026-01-01", "packstone check --max-duration soon",
		"packstone hold", "sudo packstone snapshots --wrong", "by-time/2026   each snapshot", "make nothing", "echo $(packstone lss)"} {
		if checkCommand(wrong) == nil {
			t.Errorf("%q is found good", wrong)
		}
	}
	for _, wrong := range []string{"sets: {a: {sourcess: [b]}}\n", "sources: {a: {type: files, command: [x]}}\n", "version: 1\nrepository: /a\nsets: {a: {sources: [b]}}\n", "job: {}\n"} {
		if checkSettings(wrong) == nil {
			t.Errorf("%q is found good", wrong)
		}
	}
	for _, good := range []string{"sets: {a: {sources: [b], drill: {timeout: 1h}}}\n", "sources: {a: {type: files, url: ftps://a/b}}\n", "version: 1\nrepository: /a\n"} {
		if err := checkSettings(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	if checkServiceLine("crontab", "*/15 * * * *  root  set -a; packstone run --twice") == nil || checkServiceLine("ini", "ExecStart=-/usr/local/bin/packstone runn") == nil {
		t.Error("a wrong line of a crontab or a unit is found good")
	}
}
