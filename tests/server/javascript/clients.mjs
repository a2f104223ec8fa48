// The JavaScript SDKs, unchanged: create a job through both APIs and describe it.
// The addresses and keys come from the variables that `rft serve` prints.
// node clients.mjs REQUEST: a file with `bedrock` and `openai`, the two requests; prints what came back.
import { readFileSync } from "node:fs";
import {
  BedrockClient,
  CreateModelCustomizationJobCommand,
  GetModelCustomizationJobCommand,
  ListGuardrailsCommand,
  ListModelCustomizationJobsCommand,
} from "@aws-sdk/client-bedrock";
import { BedrockRuntimeClient, ConverseCommand } from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import OpenAI, { toFile } from "openai";

const asked = JSON.parse(readFileSync(process.argv[2], "utf8"));
const ended = { bedrock: ["Completed", "Failed", "Stopped"], openai: ["succeeded", "failed", "cancelled"] };

async function until(describe, statuses) {
  for (;;) {
    const found = await describe();
    if (statuses.includes(found.status)) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function bedrock() {
  const client = new BedrockClient({ maxAttempts: 1 });
  const { jobArn } = await client.send(new CreateModelCustomizationJobCommand(asked.bedrock));
  const describe = () => client.send(new GetModelCustomizationJobCommand({ jobIdentifier: jobArn }));
  const job = await until(describe, ended.bedrock);
  const query = { nameContains: job.jobName, creationTimeAfter: new Date(Date.now() - 3600e3) };
  const listed = await client.send(new ListModelCustomizationJobsCommand(query));
  const refused = await client.send(new ListGuardrailsCommand({})).catch((error) => error.name);
  return { job, listed: listed.modelCustomizationJobSummaries.map((each) => each.jobArn), refused };
}

async function converse() {
  // Its default is HTTP/2, which a server in clear text does not speak.
  const client = new BedrockRuntimeClient({ maxAttempts: 1, requestHandler: new NodeHttpHandler() });
  const messages = [{ role: "user", content: [{ text: "What is 3 + 4?" }] }];
  const inferenceConfig = { maxTokens: 8, temperature: 0 };
  return client.send(new ConverseCommand({ modelId: asked.model, messages, inferenceConfig }));
}

async function openai() {
  const client = new OpenAI({ maxRetries: 0 });
  const file = await client.files.create({
    file: await toFile(Buffer.from(asked.records), "train.jsonl"),
    purpose: "fine-tune",
  });
  const created = await client.fineTuning.jobs.create({ ...asked.openai, training_file: file.id });
  const job = await until(() => client.fineTuning.jobs.retrieve(created.id), ended.openai);
  const events = [];
  for await (const event of client.fineTuning.jobs.listEvents(job.id, { limit: 2 })) events.push(event);
  const refused = await client.images.generate({ prompt: "x" }).catch((error) => error.constructor.name);
  return { job, events, refused };
}

const found = { bedrock: await bedrock(), openai: await openai() };
if (asked.model) found.answer = (await converse()).output.message;
console.log(JSON.stringify(found));
