package notice

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/wneessen/go-mail"
)

// mail sends a notice to all addresses of an entry.
func (s *Sender) mail(ctx context.Context, to *SMTP, n *Notice) error {
	message, err := messageOf(to, n)
	if err != nil {
		return lasting{err}
	}
	client, err := s.mailClient(to)
	if err != nil {
		return err
	}
	return ofMail(client.DialAndSendWithContext(ctx, message))
}

func messageOf(to *SMTP, n *Notice) (*mail.Msg, error) {
	message := mail.NewMsg()
	if err := message.From(to.From); err != nil {
		return nil, fmt.Errorf("address the mail: %w", err)
	}
	if err := message.To(to.To...); err != nil {
		return nil, fmt.Errorf("address the mail: %w", err)
	}
	message.Subject(n.Title)
	message.SetDate()
	message.SetMessageID()
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetBodyString(mail.TypeTextPlain, n.Text+"\n")
	return message, nil
}

func (s *Sender) mailClient(to *SMTP) (*mail.Client, error) {
	port := to.Port
	if port == 0 {
		port = 587
	}
	options := []mail.Option{
		mail.WithPort(port), mail.WithTimeout(s.o.Timeout),
		mail.WithTLSConfig(&tls.Config{ServerName: to.Host, RootCAs: s.o.Roots, MinVersion: tls.VersionTLS12}),
	}
	switch {
	case port == 465:
		options = append(options, mail.WithSSL())
	case to.StartTLS == "false":
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if to.User != "" {
		password, err := secretFile(to.PasswordFile)
		if err != nil {
			return nil, err
		}
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(to.User), mail.WithPassword(password))
	}
	client, err := mail.NewClient(to.Host, options...)
	if err != nil {
		return nil, lasting{fmt.Errorf("set up the mail: %w", err)}
	}
	return client, nil
}

// ofMail marks errors that another try does not cure, such as an address that the server refuses
// permanently.
func ofMail(err error) error {
	var refused *mail.SendError
	if errors.As(err, &refused) && !refused.IsTemp() && refused.ErrorCode() >= 500 {
		return lasting{err}
	}
	return err
}
