package rest

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/grpc/grpclog"
)

// TestGatewayComplains says what the gateway says when it cannot write: by itself
// it holds nothing, TestGatewayIsHeardByNobody looks at what comes of it.
func TestGatewayComplains(*testing.T) {
	grpclog.Errorf("Failed to write response: %s", "canary@person.example")
}

// TestGatewayIsHeardByNobody holds that what the gateway's library logs by itself
// does not reach the process's output: parts of requests stand in it.
func TestGatewayIsHeardByNobody(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	said, err := exec.CommandContext(t.Context(), self, "-test.run=^TestGatewayComplains$", "-test.v").CombinedOutput()
	if err != nil || !strings.Contains(string(said), "PASS: TestGatewayComplains") {
		t.Fatalf("%v: %s", err, said)
	}
	if strings.Contains(string(said), "canary") {
		t.Errorf("it says %s", said)
	}
}
