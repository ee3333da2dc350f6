package delivery

import (
	"bufio"
	"io"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"
)

// talk is a mail server that says what it is told to, line by line, and notes what it
// hears.
func talk(t *testing.T, says map[string]string) (host string, heard func() []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var mu sync.Mutex
	var lines []string
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.WriteString(conn, "220 here\r\n")
				in := bufio.NewReader(conn)
				for {
					line, err := in.ReadString('\n')
					if err != nil {
						return
					}
					verb := strings.ToUpper(strings.Fields(line + " .")[0])
					mu.Lock()
					lines = append(lines, verb)
					mu.Unlock()
					answer, ok := says[verb]
					if !ok {
						answer = "250 yes"
					}
					_, _ = io.WriteString(conn, answer+"\r\n")
				}
			}()
		}
	}()
	return l.Addr().String(), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), lines...)
	}
}

var letter = &Message{ID: "l1-x", At: monday, Subject: "A lead", To: Person{Email: "ana@firm.example"}}

// Goes red if a password or a mail goes to a server that offers no TLS, or an answer that
// is no is taken for a yes.
func TestNoTLSNoMail(t *testing.T) {
	address, heard := talk(t, map[string]string{"EHLO": "250 AUTH PLAIN"})
	m, err := NewMail("smtp://u:hush@" + address + "?from=leads@firm.example")
	if err != nil {
		t.Fatal(err)
	}
	m.plain = false // as if it were another machine
	o, err := m.Send(t.Context(), nil, nil, letter)
	if err != nil || o.fault != faultTLS {
		t.Errorf("%+v, %v", o, err)
	}
	for _, verb := range heard() {
		if verb == "AUTH" || verb == "MAIL" || verb == "DATA" {
			t.Errorf("it was told %s", verb)
		}
	}
}

func TestMailServersThatSayNo(t *testing.T) {
	for name, tt := range map[string]struct {
		says   map[string]string
		fault  string
		status int32
		final  bool
	}{
		"a wrong password":           {map[string]string{"EHLO": "250 AUTH PLAIN", "AUTH": "535 no"}, faultRefused, 535, false},
		"a sender that is not taken": {map[string]string{"MAIL": "550 no"}, faultRefused, 550, false},
		"nobody by that address":     {map[string]string{"RCPT": "550 no"}, faultRefused, 550, true},
		"busy":                       {map[string]string{"RCPT": "451 later"}, faultRefused, 451, false},
		"a mail that is not taken":   {map[string]string{"DATA": "554 no"}, faultRefused, 554, false},
	} {
		t.Run(name, func(t *testing.T) {
			address, _ := talk(t, tt.says)
			m, err := NewMail("smtp://u:hush@" + address + "?from=leads@firm.example")
			if err != nil {
				t.Fatal(err)
			}
			if tt.says["AUTH"] == "" {
				m.user = nil
			}
			o, err := m.Send(t.Context(), nil, nil, letter)
			if err != nil || o.fault != tt.fault || o.status != tt.status || o.final != tt.final {
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
	// Nobody listens, and one that never answers.
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m, _ := NewMail("smtp://" + gone.Addr().String() + "?from=leads@firm.example")
	m.Timeout = 50 * time.Millisecond
	if o, err := m.Send(t.Context(), nil, nil, letter); err != nil || o.fault != faultTimeout {
		t.Errorf("a server that is silent: %+v, %v", o, err)
	}
	_ = gone.Close()
	if o, err := m.Send(t.Context(), nil, nil, letter); err != nil || o.fault != faultUnreachable {
		t.Errorf("nobody there: %+v, %v", o, err)
	}
}

// Text from outside makes no header.
func TestAMailsHeaders(t *testing.T) {
	m, err := NewMail("smtp://127.0.0.1?from=leads@firm.example")
	if err != nil {
		t.Fatal(err)
	}
	bad := *letter
	bad.Subject = "A lead\r\nBcc: everybody@firm.example"
	to := bad.To
	to.Name = "Ana\r\nBcc: all@firm.example"
	bad.To = to
	raw, err := m.write(&bad, &mail.Address{Name: to.Name, Address: to.Email})
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(raw), "\r\n\r\n")
	for _, line := range strings.Split(head, "\r\n") {
		if strings.HasPrefix(line, "Bcc") {
			t.Errorf("a header of somebody else's making:\n%s", head)
		}
	}
}
