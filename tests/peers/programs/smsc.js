// An SMSC made with the npm package smpp. It reads texts as a phone would, sends receipts, and says what happens as lines
// of JSON (tests/support/programs.py). Message ids are hexadecimal in its answers and decimal in its receipts.
"use strict";

const smpp = require("smpp");

const PASSWORD = "secret";
const STATES = { 2: "UNDELIV", 3: "REJECTD" }; // by the last digit of the phone; every other is delivered
const PART_UNITS = 60;

const sessions = new Set();
const texts = new Map(); // parts that wait for the others of their text
let lastId = 0xab00;
let lastReference = 0;

function say(event, more) {
  process.stdout.write(JSON.stringify({ event, ...more }) + "\n");
}

function acknowledged(what, more) {
  return (answer) => say("acknowledged", { what, status: answer.command_status, ...more });
}

// {reference, total, number} of a part, from the user data header or from the sar_* parameters.
function placeOf(pdu) {
  const header = pdu.short_message.udh || [];
  for (const element of header) {
    if (element[0] === 0x00) return { reference: element[2], total: element[3], number: element[4], bits: 8 };
    if (element[0] === 0x08)
      return { reference: element.readUInt16BE(2), total: element[4], number: element[5], bits: 16 };
  }
  if (pdu.sar_total_segments)
    return {
      reference: pdu.sar_msg_ref_num,
      total: pdu.sar_total_segments,
      number: pdu.sar_segment_seqnum,
      bits: "sar",
    };
  return { reference: 0, total: 1, number: 1, bits: 0 };
}

function take(session, pdu) {
  const payload = pdu.message_payload;
  const text = payload ? payload.message : pdu.short_message.message;
  const { reference, total, number, bits } = placeOf(pdu);
  const key = `${pdu.source_addr} ${pdu.destination_addr} ${bits} ${reference}`;
  const parts = texts.get(key) || new Map();
  texts.set(key, parts.set(number, text));
  if (parts.size < total) return;
  texts.delete(key);
  say("text", {
    system_id: session.systemId,
    from: pdu.source_addr,
    to: pdu.destination_addr,
    text: [...parts.keys()].sort((a, b) => a - b).map((each) => parts.get(each)).join(""),
    parts: total,
    joined_by: payload ? "payload" : bits,
    data_coding: pdu.data_coding,
  });
}

function minute() {
  return new Date().toISOString().replace(/\D/g, "").slice(2, 12);
}

function sendReceipt(pdu, id, receiver) {
  const stat = STATES[pdu.destination_addr.slice(-1)] || "DELIVRD";
  const dlvrd = stat === "DELIVRD" ? "001" : "000";
  receiver.deliver_sm(
    {
      source_addr: pdu.destination_addr,
      source_addr_ton: pdu.dest_addr_ton,
      source_addr_npi: pdu.dest_addr_npi,
      destination_addr: pdu.source_addr,
      esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
      data_coding: 0,
      short_message:
        `id:${String(id).padStart(10, "0")} sub:001 dlvrd:${dlvrd} submit date:${minute()} ` +
        `done date:${minute()} stat:${stat} err:${stat === "DELIVRD" ? "000" : "027"} text:`,
    },
    acknowledged("receipt", { phone: pdu.destination_addr }),
  );
}

function receiverOf(systemId) {
  return [...sessions].find((each) => each.systemId === systemId && each.bind !== "transmitter");
}

function bind(session, kind, pdu) {
  if (pdu.password !== PASSWORD) {
    session.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }));
    say("refused", { system_id: pdu.system_id });
    return;
  }
  session.systemId = pdu.system_id;
  session.bind = kind;
  session.send(pdu.response({ system_id: "npm" }));
  say("bound", { bind: kind, system_id: pdu.system_id });
}

const server = smpp.createServer((session) => {
  Object.assign(session, { systemId: "", bind: "transmitter" });
  sessions.add(session);
  for (const kind of ["transceiver", "transmitter", "receiver"])
    session.on(`bind_${kind}`, (pdu) => bind(session, kind, pdu));
  session.on("submit_sm", (pdu) => {
    lastId += 1;
    session.send(pdu.response({ message_id: lastId.toString(16).toUpperCase() }));
    take(session, pdu);
    if (pdu.registered_delivery & 1) sendReceipt(pdu, lastId, receiverOf(session.systemId));
  });
  session.on("enquire_link", (pdu) => {
    session.send(pdu.response());
    say("enquire_link", { system_id: session.systemId });
  });
  session.on("unbind", (pdu) => {
    say("unbind", { system_id: session.systemId, bind: session.bind });
    session.send(pdu.response());
    session.close();
  });
  session.on("close", () => {
    sessions.delete(session);
    say("closed", { system_id: session.systemId, bind: session.bind });
  });
  session.on("error", (error) => say("error", { what: String(error) }));
});

const commands = {
  // A text from a phone, in parts with a header where it is long.
  reply({ system_id, from, to, text }) {
    const isPlain = /^[\x20-\x5a\x61-\x7aéèà\n]*$/.test(text);
    const session = receiverOf(system_id);
    const count = text.length > PART_UNITS ? Math.ceil(text.length / PART_UNITS) : 1;
    lastReference = (lastReference + 1) & 0xff;
    for (let number = 1; number <= count; number += 1) {
      const message = text.slice((number - 1) * PART_UNITS, number * PART_UNITS);
      session.deliver_sm(
        {
          source_addr: from,
          source_addr_ton: 1,
          source_addr_npi: 1,
          destination_addr: to,
          data_coding: isPlain ? 0 : 8,
          short_message:
            count > 1 ? { udh: Buffer.from([5, 0, 3, lastReference, count, number]), message } : message,
        },
        acknowledged("reply", { phone: from }),
      );
    }
  },
  enquire({ system_id }) {
    receiverOf(system_id).enquire_link((answer) =>
      say("enquire_link_resp", { system_id, status: answer.command_status }),
    );
  },
  unbind({ system_id }) {
    const session = receiverOf(system_id);
    session.unbind((answer) => {
      say("unbind_resp", { system_id, status: answer.command_status });
      session.close();
    });
  },
};

let unread = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (data) => {
  const lines = (unread + data).split("\n");
  unread = lines.pop();
  for (const line of lines) {
    const command = JSON.parse(line);
    commands[command.do](command);
  }
});
process.stdin.on("end", () => process.exit(0));
server.listen(0, "127.0.0.1", () => say("listening", { port: server.address().port }));
