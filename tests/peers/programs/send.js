// A send with axios: node send.js BASE_URL API_KEY NUMBERS MESSAGE
const axios = require('axios');

const [base, apiKey, phoneNumbers, message] = process.argv.slice(2);

axios
  .post(`${base}/send`, { apiKey, phoneNumbers, message, sender: 'NodeAxios' })
  .then((response) => console.log(JSON.stringify(response.data)))
  .catch((failure) => {
    // axios rejects every status but 2xx and keeps the parsed body in `response.data`.
    console.error(failure.response ? JSON.stringify(failure.response.data) : failure.message);
    process.exitCode = 1;
  });
