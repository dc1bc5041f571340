package crypto

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// largestKeyFile is the largest size in bytes of a file of keys.
const largestKeyFile = 1 << 20

// IsSecretText reports whether a text begins as a secret key does, so that no message may repeat it.
func IsSecretText(text string) bool {
	return strings.HasPrefix(strings.ToUpper(strings.TrimSpace(text)), classicKeyPrefix)
}

// ParseRecipient reads one public key: age1pq1… (hybrid post-quantum) or age1… (X25519). Its errors
// do not repeat the text, which may be a secret key in the wrong place.
func ParseRecipient(text string) (age.Recipient, error) {
	text = strings.TrimSpace(text)
	switch {
	case IsSecretText(text):
		return nil, fmt.Errorf("parse recipient: this is a secret key (an identity), not a recipient")
	case strings.HasPrefix(text, "age1pq1"):
		return wrapRecipient(age.ParseHybridRecipient(text))
	case strings.HasPrefix(text, "age1"):
		return wrapRecipient(age.ParseX25519Recipient(text))
	}
	return nil, fmt.Errorf("parse recipient: want age1pq1… (hybrid) or age1… (classic)")
}

func wrapRecipient[R age.Recipient](recipient R, err error) (age.Recipient, error) {
	if err != nil {
		return nil, fmt.Errorf("parse recipient: %w", err)
	}
	return recipient, nil
}

// ParseRecipients reads a file of recipients, one per line; empty lines and comments (#) are
// skipped. The result has at least one recipient. It fails with ErrMixed if some are hybrid and
// some are classic.
func ParseRecipients(r io.Reader) ([]age.Recipient, error) {
	var recipients []age.Recipient
	err := eachLine(r, func(n int, line string) error {
		if line == "" || strings.HasPrefix(line, "#") {
			return nil
		}
		recipient, err := ParseRecipient(line)
		recipients = append(recipients, recipient)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read recipients: %w", err)
	}
	return recipients, CheckRecipients(recipients)
}

// CheckRecipients returns an error for an empty list, and ErrMixed for one that mixes hybrid and
// classic recipients.
func CheckRecipients(recipients []age.Recipient) error {
	if len(recipients) == 0 {
		return fmt.Errorf("no recipients: nobody could restore")
	}
	for _, r := range recipients {
		if IsClassic(r) != IsClassic(recipients[0]) {
			return ErrMixed
		}
	}
	return nil
}

// IsClassic reports whether a recipient is not post-quantum: anything but age's hybrid recipient.
func IsClassic(recipient age.Recipient) bool {
	_, hybrid := recipient.(*age.HybridRecipient)
	return !hybrid
}

// RecipientText returns the recipient in the form that ParseRecipient reads.
func RecipientText(recipient age.Recipient) (string, error) {
	switch r := recipient.(type) {
	case *age.HybridRecipient:
		return r.String(), nil
	case *age.X25519Recipient:
		return r.String(), nil
	}
	return "", fmt.Errorf("write recipient: %T has no text form", recipient)
}

// eachLine calls do with each line, trimmed, and its number, counting from 1. Its errors name the
// line.
func eachLine(r io.Reader, do func(n int, line string) error) error {
	limited := &io.LimitedReader{R: r, N: largestKeyFile + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(nil, largestKeyFile+1)
	for n := 1; lines.Scan(); n++ {
		if err := do(n, strings.TrimSpace(lines.Text())); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if limited.N <= 0 {
		return fmt.Errorf("more than %d bytes", largestKeyFile)
	}
	return lines.Err()
}
