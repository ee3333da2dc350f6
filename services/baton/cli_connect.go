package main

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
)

// answerWithin is how long a single call may take, and foldedWithin one for which the
// log is read from its beginning.
const (
	answerWithin = 30 * time.Second
	foldedWithin = 30 * time.Minute
)

// call is one command on its way to the running system.
type call struct {
	ctx    context.Context
	cmd    *cobra.Command
	conn   *grpc.ClientConn
	server string
	format string
	args   []string
}

// client makes a command out of what it does with a running system. The words
// are formats that it can answer in, if others than usual.
func client(do func(*call) error, formats ...string) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		format, err := formatOf(cmd, formats...)
		if err != nil {
			return err
		}
		conn, server, err := dial(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		return do(&call{ctx: contextOf(cmd), cmd: cmd, conn: conn, server: server, format: format, args: args})
	}
}

func contextOf(cmd *cobra.Command) context.Context {
	if ctx := cmd.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

// dial prepares the connection; nothing is sent before the first call.
func dial(cmd *cobra.Command) (*grpc.ClientConn, string, error) {
	flags := cmd.Flags()
	server, err := flags.GetString("server")
	if err != nil {
		return nil, "", err
	}
	token, err := tokenOf(cmd)
	if err != nil {
		return nil, "", err
	}
	open, err := flags.GetBool("plaintext")
	if err != nil {
		return nil, "", err
	}
	host, _, err := net.SplitHostPort(server)
	if err != nil {
		return nil, "", misused(cmd, "--server is %q; it must be HOST:PORT, such as localhost:9090", server)
	}
	transport, secured := credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12}), true
	if open || isLoopback(host) {
		transport, secured = insecure.NewCredentials(), false
	}
	conn, err := grpc.NewClient("passthrough:///"+server,
		grpc.WithTransportCredentials(transport),
		grpc.WithPerRPCCredentials(access.TokenCredentials{Token: token, RequireTLS: secured}),
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			if _, longer := ctx.Deadline(); !longer {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, answerWithin)
				defer cancel()
			}
			return answered(invoke(ctx, method, req, reply, cc, opts...), server)
		}),
	)
	if err != nil {
		return nil, "", misused(cmd, "--server is %q; it must be HOST:PORT, such as localhost:9090", server)
	}
	return conn, server, nil
}

// isLoopback says whether what is sent there stays on this machine.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// tokenOf finds the token that says who asks.
func tokenOf(cmd *cobra.Command) (string, error) {
	token, err := cmd.Flags().GetString("token")
	if err != nil {
		return "", err
	}
	if token == "" {
		token = os.Getenv(envToken)
	}
	if token != "" {
		return strings.TrimSpace(token), nil
	}
	data, err := cmd.Flags().GetString("data")
	if err != nil {
		return "", err
	}
	for _, dir := range []string{data, filepath.Join(data, "keys"), os.Getenv("BATON_KEYS")} {
		if dir == "" {
			continue
		}
		token, err := access.LoadAdminToken(dir)
		if err == nil {
			return token, nil
		}
		if !fault.Is(err, fault.NotFound) {
			return "", err
		}
	}
	return "", fault.New(fault.Unauthenticated, "no token says who asks: give --token or %s, or say with --data where the running system keeps its data (there is no %s)",
		envToken, filepath.Join(data, access.AdminTokenFile))
}

// answered turns what a call came back with into a sentence for whoever typed
// the command.
func answered(err error, server string) error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if !ok || ours(s) {
		return access.FaultOf(err)
	}
	switch s.Code() {
	case codes.Unavailable:
		return &fault.Error{Kind: fault.Unavailable, Text: "nothing answers at " + server + ": start it with baton up, or say with --server where it runs", Cause: err}
	case codes.DeadlineExceeded:
		return &fault.Error{Kind: fault.Unavailable, Text: server + " did not answer within " + answerWithin.String() + "; whether it did what was asked is not known", Cause: err}
	case codes.Unimplemented:
		return &fault.Error{Kind: fault.State, Text: server + " does not serve that: it runs other services, or another version of Baton", Cause: err}
	case codes.Canceled:
		return context.Canceled
	}
	return access.FaultOf(err)
}

// ours says whether a status was made by Baton and not by what lies between.
func ours(s *status.Status) bool {
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == "baton" {
			return true
		}
	}
	return false
}
