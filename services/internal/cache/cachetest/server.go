// Package cachetest runs real Redis servers for tests: alone, as a cluster of
// one, killed, and started again from a copy of what they once held.
package cachetest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Server is a redis-server of a test's own, on loopback.
type Server struct {
	t       testing.TB
	dir     string
	addr    string
	cluster bool
	process *exec.Cmd
}

// Serve starts a server that keeps nothing on disk unless it is told to. As a
// cluster it holds all slots itself and follows a cluster's rules. A machine
// without redis-server fails the test.
func Serve(t testing.TB, cluster bool) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, dir: t.TempDir(), addr: l.Addr().String(), cluster: cluster}
	_ = l.Close()
	t.Cleanup(func() {
		if s.process != nil {
			s.Kill()
		}
	})
	s.Start()
	if cluster {
		s.Do("CLUSTER ADDSLOTSRANGE 0 16383")
		s.await("a cluster that is up", func() bool { return strings.Contains(s.Do("CLUSTER INFO"), "cluster_state:ok") })
	}
	return s
}

// URL is the server's address, with everything under a prefix of the test's own:
// several tests may share a server.
func (s *Server) URL(t testing.TB) string {
	url := "redis://" + s.addr + "/?prefix=" + strings.ToLower(strings.NewReplacer("/", "-", " ", "-", "_", "-", ",", "").Replace(t.Name()))
	if s.cluster {
		url += "&cluster=true"
	}
	return url
}

// Start starts the server again; it holds what Save or Restore left.
func (s *Server) Start() {
	s.t.Helper()
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	args := []string{"--bind", "127.0.0.1", "--port", port, "--dir", s.dir, "--save", "", "--appendonly", "no"}
	if s.cluster {
		args = append(args, "--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1")
	}
	s.process = exec.Command("redis-server", args...)
	if err := s.process.Start(); err != nil {
		s.t.Fatalf("redis-server cannot be started: %v", err)
	}
	s.await("a server that answers", func() bool { return strings.Contains(s.Do("PING"), "PONG") })
}

// Kill ends the server without a word.
func (s *Server) Kill() {
	s.t.Helper()
	if err := s.process.Process.Kill(); err != nil {
		s.t.Error(err)
	}
	_ = s.process.Wait() // it was killed, and says so
	s.process = nil
}

// Copy takes what the server holds now, for Restore.
func (s *Server) Copy() []byte {
	s.t.Helper()
	if said := s.Do("SAVE"); !strings.Contains(said, "OK") {
		s.t.Fatalf("SAVE: %s", said)
	}
	path := filepath.Join(s.dir, "dump.rdb")
	raw, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		s.t.Fatal(err)
	}
	return raw
}

// Restore starts the killed server from a copy, as a replica that lagged behind
// would take over.
func (s *Server) Restore(raw []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "dump.rdb"), raw, 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.Start()
}

// Do sends one command in a line and answers what came back, as it came; empty =
// nobody answered.
func (s *Server) Do(command string) string {
	conn, err := net.DialTimeout("tcp", s.addr, time.Second)
	if err != nil {
		return ""
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := fmt.Fprintf(conn, "%s\r\nQUIT\r\n", command); err != nil {
		return ""
	}
	var said strings.Builder
	for in := bufio.NewScanner(conn); in.Scan(); {
		said.WriteString(in.Text() + "\n")
	}
	return said.String()
}

func (s *Server) await(what string, is func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); {
		if time.Now().After(deadline) {
			s.t.Fatalf("redis-server: no %s within 20 s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}
