package main

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
)

func TestADocumentListsTheModulesOfAProgramAndIsTheSameEachTime(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	if err := write(&first, self, "1.2.3"); err != nil {
		t.Fatal(err)
	}
	if err := write(&second, self, "1.2.3"); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("the second document differs from the first, %v", err)
	}
	var got document
	if err := json.Unmarshal(first.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Metadata.Component.Version != "1.2.3" || len(got.Components) == 0 || got.Components[0].Name != "std" {
		t.Errorf("got %+v, want a program of version 1.2.3 with the standard library", got)
	}
}

func TestWhatIsNoProgramIsRefused(t *testing.T) {
	if err := write(&bytes.Buffer{}, "main.go", "1"); err == nil {
		t.Error("a source file was described as a program")
	}
}

func TestAChecksumOfGoSumIsAHash(t *testing.T) {
	if got := checksum("h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="); len(got) != 1 || got[0].Content != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("got %v", got)
	}
	if got := checksum("h1:short"); got != nil {
		t.Errorf("got %v of a checksum that is none", got)
	}
}
