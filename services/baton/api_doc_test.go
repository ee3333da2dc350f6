package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/leadbaton/baton/proto/example"
	"github.com/leadbaton/baton/services/internal/access"
)

// TestDocumentedCallsWork carries out every command of docs/api.md, in order,
// against a running system. What a command needs from the one before, as a
// reader would copy it, is taken from its answer.
func TestDocumentedCallsWork(t *testing.T) {
	h := start(t, Config{})
	text := must[[]byte](t)(os.ReadFile("../../docs/api.md"))
	vars := map[string]string{"TOKEN": h.admin}
	ran := map[string]int{}
	for _, args := range commands(t, string(text), vars) {
		var answer []string
		switch {
		case strings.HasPrefix(args[0], "TOKEN="):
			continue
		case args[0] == "curl":
			answer = h.curl(args[1:])
		case args[0] == "grpcurl":
			answer = h.grpcurl(args[1:])
		default:
			t.Fatalf("the page shows %q, which this test cannot run", args)
		}
		ran[args[0]]++
		if len(answer) == 0 {
			t.Errorf("%q answers nothing", args)
		}
		for _, a := range answer {
			if strings.HasPrefix(a, `{"error"`) || strings.Contains(a, `"fault":"invalid"`) {
				t.Errorf("%q answers %s", args, a)
			}
			var said struct {
				LeadID string `json:"leadId"`
			}
			if json.Unmarshal([]byte(a), &said) == nil && said.LeadID != "" && vars["LEAD"] == "" {
				vars["LEAD"] = said.LeadID
				h.settle()
			}
		}
	}
	if ran["curl"] < 9 || ran["grpcurl"] < 7 {
		t.Errorf("ran %v: this test does not see the page's commands", ran)
	}
	h.settle()
	same(t, "leads of the page", h.count(), 3)
	same(t, "touches of the page", len(h.touches(vars["LEAD"])), 1)
}

// commands are those of a page's shell blocks, split as a shell would: quotes,
// variables, lines that go on.
func commands(t *testing.T, text string, vars map[string]string) func(func(int, []string) bool) {
	return func(yield func(int, []string) bool) {
		for n, block := range strings.Split(text, "```")[1:] {
			rest, ok := strings.CutPrefix(block, "sh\n")
			if !ok {
				continue
			}
			for rest != "" {
				var args []string
				args, rest = command(rest, vars)
				if len(args) > 0 && !yield(n, args) {
					return
				}
			}
		}
	}
}

// command splits the first command off.
func command(text string, vars map[string]string) (args []string, rest string) {
	var word strings.Builder
	begun, quote := false, byte(0)
	end := func() {
		if begun {
			args = append(args, word.String())
		}
		word.Reset()
		begun = false
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != '\'' && c == '\\' && i+1 < len(text):
			i++
			if text[i] != '\n' {
				word.WriteByte(text[i])
				begun = true
			}
		case quote == 0 && (c == '\'' || c == '"'):
			quote, begun = c, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != '\'' && c == '$':
			name := text[i+1:]
			if j := strings.IndexFunc(name, func(r rune) bool { return r < 'A' || r > 'Z' }); j >= 0 {
				name = name[:j]
			}
			word.WriteString(vars[name])
			begun = true
			i += len(name)
		case quote == 0 && c == '\n':
			end()
			return args, text[i+1:]
		case quote == 0 && (c == ' ' || c == '\t'):
			end()
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	end()
	return args, ""
}

// curl carries out a command of curl's, as far as the page needs it.
func (h *house) curl(args []string) []string {
	h.t.Helper()
	verb, url, body, header, endless := http.MethodGet, "", "", http.Header{}, false
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "-H":
			i++
			name, value, _ := strings.Cut(args[i], ": ")
			header.Set(name, value)
		case "-d", "--data-binary":
			i++
			verb, body = http.MethodPost, args[i]
		case "-N":
			endless = true
		default:
			url = args[i]
		}
	}
	ctx, cancel := context.WithCancel(h.t.Context())
	defer cancel()
	at, ok := strings.CutPrefix(url, "localhost:8081")
	if !ok {
		h.t.Fatalf("%q is not the console's address", url)
	}
	req := must[*http.Request](h.t)(http.NewRequestWithContext(ctx, verb, "http://"+h.ConsoleAddr+at, strings.NewReader(body)))
	req.Header = header
	resp := must[*http.Response](h.t)(http.DefaultClient.Do(req))
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(resp.Body)
		h.t.Errorf("%q answers %d %s", args, resp.StatusCode, said)
	}
	var answer []string
	for in := json.NewDecoder(resp.Body); ; {
		var line json.RawMessage
		if err := in.Decode(&line); err != nil {
			if err != io.EOF {
				h.t.Errorf("%q: %v", args, err)
			}
			return answer
		}
		var flat bytes.Buffer
		if err := json.Compact(&flat, line); err != nil {
			h.t.Fatal(err)
		}
		if answer = append(answer, flat.String()); endless {
			return answer
		}
	}
}

// grpcurl carries out a command of grpcurl's: it knows of the server only what
// reflection says.
func (h *house) grpcurl(args []string) []string {
	h.t.Helper()
	var words []string
	data, ctx := "", h.t.Context()
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "-plaintext":
		case "-H":
			i++
			token, ok := strings.CutPrefix(args[i], "authorization: Bearer ")
			if !ok {
				h.t.Fatalf("%q is not a token", args[i])
			}
			ctx = access.WithToken(ctx, token)
		case "-d":
			i++
			data = args[i]
		default:
			words = append(words, args[i])
		}
	}
	if len(words) < 2 || words[0] != "localhost:9090" {
		h.t.Fatalf("%q does not name the server and what to do", args)
	}
	conn := must[*grpc.ClientConn](h.t)(example.Dial(h.GRPCAddr, "none"))
	defer conn.Close()
	if words[1] == "list" {
		return h.reflect(conn, &reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
	}
	symbol := words[len(words)-1]
	service, name, call := strings.Cut(symbol, "/")
	files := &descriptorpb.FileDescriptorSet{}
	for _, raw := range h.reflect(conn, &reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: service}}) {
		file := &descriptorpb.FileDescriptorProto{}
		if err := proto.Unmarshal([]byte(raw), file); err != nil {
			h.t.Fatal(err)
		}
		files.File = append(files.File, file)
	}
	known, err := protodesc.FileOptions{AllowUnresolvable: true}.NewFiles(files)
	if err != nil {
		h.t.Fatal(err)
	}
	desc := must[protoreflect.Descriptor](h.t)(known.FindDescriptorByName(protoreflect.FullName(service))).(protoreflect.ServiceDescriptor)
	if !call {
		return []string{string(desc.FullName())}
	}
	method := desc.Methods().ByName(protoreflect.Name(name))
	if method == nil {
		h.t.Fatalf("the server has no method %s", symbol)
	}
	return h.stream(ctx, method, data)
}

// reflect asks the server what it has.
func (h *house) reflect(conn *grpc.ClientConn, ask *reflectionv1.ServerReflectionRequest) (said []string) {
	h.t.Helper()
	stream := must[reflectionv1.ServerReflection_ServerReflectionInfoClient](h.t)(reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(h.t.Context()))
	if err := stream.Send(ask); err != nil {
		h.t.Fatal(err)
	}
	answer := must[*reflectionv1.ServerReflectionResponse](h.t)(stream.Recv())
	for _, s := range answer.GetListServicesResponse().GetService() {
		said = append(said, s.GetName())
	}
	for _, file := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
		said = append(said, string(file))
	}
	if len(said) == 0 {
		h.t.Fatalf("reflection answers %v", answer)
	}
	return said
}

// stream calls a method with messages as JSON and answers JSON; of a stream
// without end, the first message.
func (h *house) stream(ctx context.Context, m protoreflect.MethodDescriptor, data string) (answers []string) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	call := must[grpc.ClientStream](h.t)(h.App.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: m.IsStreamingClient()}, fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name())))
	for in := json.NewDecoder(strings.NewReader(data)); ; {
		var raw json.RawMessage
		if in.Decode(&raw) != nil {
			break
		}
		req := dynamicpb.NewMessage(m.Input())
		if err := protojson.Unmarshal(raw, req); err != nil {
			h.t.Fatalf("%s does not take %s: %v", m.FullName(), raw, err)
		}
		if err := call.SendMsg(req); err != nil {
			h.t.Fatal(err)
		}
	}
	if err := call.CloseSend(); err != nil {
		h.t.Fatal(err)
	}
	for {
		answer := dynamicpb.NewMessage(m.Output())
		err := call.RecvMsg(answer)
		if err == io.EOF { //nolint:errorlint // gRPC answers io.EOF itself
			return answers
		}
		if err != nil {
			h.t.Fatalf("%s: %v", m.FullName(), err)
		}
		var flat bytes.Buffer
		if err := json.Compact(&flat, must[[]byte](h.t)(protojson.Marshal(answer))); err != nil {
			h.t.Fatal(err)
		}
		if answers = append(answers, flat.String()); m.IsStreamingServer() && !m.IsStreamingClient() {
			return answers
		}
	}
}

// The example of a client does what it says.
func TestExampleClient(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe", "dan")
	h.agree(h.document())
	conn := must[*grpc.ClientConn](t)(example.Dial(h.GRPCAddr, h.admin))
	defer conn.Close()

	id := must[string](t)(example.Submit(t.Context(), conn, "one", "ada@maschinen.example"))
	same(t, "the same key again", must[string](t)(example.Submit(t.Context(), conn, "one", "ada@maschinen.example")), id)
	refused := must[map[string]string](t)(example.SubmitMany(t.Context(), conn, []string{"two", "", "three"}, []string{"ben@maschinen.example", "x@maschinen.example", "chloe@maschinen.example"}))
	if len(refused) != 1 || !strings.Contains(refused[""], "idempotency_key") {
		t.Errorf("refused: %v", refused)
	}
	if err := example.Touch(t.Context(), conn, "visit", "ada@maschinen.example", "pricing-page"); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := example.Watch(t.Context(), conn, id, "baton.lead.v1.LeadOffered", &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "Offered to ") {
		t.Errorf("watched:\n%s", &out)
	}
	h.settle()
	same(t, "leads", h.count(), 3)
	same(t, "touches", len(h.touches(id)), 1)
}
